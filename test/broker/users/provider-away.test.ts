import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { lookup } from 'node:dns/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Value } from '@sinclair/typebox/value'
import t, { type Test } from 'tap'
import type { ProviderTest } from '../../../broker/api/users.js'
import { ProviderSettings } from '../../../broker/login-settings.js'
import { freePort } from '../../support/free-port.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import { Walker } from './openid-provider.js'
import { startStubProvider, type StubProvider } from './stub-provider.js'

t.setTimeout(240_000)
const HERE = 'BERTH_TEST_OWN_NAMES'
const NAME = 'idp.berth.test'
const AUTHORIZE = /\/authorize\?/

/** dnsmasq that knows the provider, or knows that there is no such name; null: none answers. */
class NameServer {
  #server: ChildProcess | null = null

  async says(what: 'found' | 'unknown' | null): Promise<void> {
    if (this.#server) {
      const ended = once(this.#server, 'exit')
      this.#server.kill('SIGKILL')
      await ended
      this.#server = null
    }
    if (what !== null) {
      const rule = what === 'found' ? [`--address=/${NAME}/127.0.0.1`] : []
      const argv = [
        '--keep-in-foreground',
        '--conf-file=/dev/null',
        '--no-resolv',
        '--no-hosts',
        '--user=root',
        '--pid-file=',
        '--local=/test/',
        ...rule,
      ]
      this.#server = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'dnsmasq', ...argv], {
        stdio: 'ignore',
      })
    }
    const wanted = what === null ? 'EAI_AGAIN' : what === 'unknown' ? 'ENOTFOUND' : '127.0.0.1'
    await until(async () => (await answerOf()) === wanted, {
      withinMs: 10_000,
      what: `the name is ${wanted}`,
    })
  }
}

async function answerOf(): Promise<string> {
  try {
    return (await lookup(NAME)).address
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? ''
  }
}

interface Stage {
  readonly broker: SimulatedBroker
  readonly stub: StubProvider
  readonly walker: Walker
  /** A whole login in a browser. */
  readonly logIn: () => Promise<{ status: number; text: string; url: string }>
  readonly begin: string
  readonly discovery: () => Promise<string>
}

async function stage(t: Test, host: string): Promise<Stage> {
  const stub = await startStubProvider(host)
  const broker = await SimulatedBroker.start({
    config: {
      listenPort: await freePort(),
      oidcProviders: [
        Value.Default(ProviderSettings, {
          name: 'corp',
          issuer: stub.issuer,
          'client-id': 'berth',
          'client-secret-file': stub.secretFile,
          'ca-file': stub.ca,
          scope: 'openid profile groups',
          roles: { desks: ['staff'] },
        }) as ProviderSettings,
      ],
    },
  })
  t.teardown(async () => {
    await broker.remove()
    stub.remove()
  })
  const begin = `${broker.url}/api/v1/login/oidc/corp?returnTo=/healthz`
  const walker = new Walker([broker.ca, readFileSync(stub.ca, 'utf8')])
  return {
    broker,
    stub,
    walker,
    begin,
    logIn: async () => await walker.open(begin),
    discovery: async () => {
      const { steps } = await broker.admin.post<ProviderTest>('/login/oidc/corp/test')
      const [first] = steps
      return `${first?.step ?? ''} ${first?.good === true ? 'good' : 'fault'}: ${first?.said ?? ''}`
    },
  }
}

async function away(t: Test): Promise<void> {
  const names = new NameServer()
  await names.says('found')
  const { broker, stub, walker, begin, logIn, discovery } = await stage(t, NAME)
  t.teardown(async () => {
    await names.says(null)
  })
  t.match(await logIn(), { status: 200, url: /\/healthz$/ })
  // The person stands at the provider when the name servers go.
  const back = await walker.open(begin, `${broker.url}/api/v1/login/oidc/corp/callback`)
  t.match(back.url, /callback\?code=/)
  await names.says(null)
  stub.hangUp() // on a connection that is open no name is looked up
  t.match(await walker.open(back.url), {
    status: 503,
    text: /provider_unreachable.*No name server answers just now/,
  })
  t.match(
    (await walker.open(begin, stub.issuer)).url,
    AUTHORIZE,
    'what the provider said before is still known',
  )
  const { port } = broker.broker
  await broker.stop()
  await broker.start({ listenPort: port })
  const again = /provider_unreachable.*No name server answers just now.*[Tt]ry again/
  t.match(await walker.open(begin), { status: 503, text: again }, 'nothing is known yet')
  t.match(await discovery(), /^discovery fault: No name server answers just now/)
  await names.says('unknown')
  stub.hangUp()
  t.match(await walker.open(begin), {
    status: 503,
    text: /provider_unreachable.*know no such name/,
  })
  t.match(await discovery(), /^discovery fault: The name servers know no such name/)
  await names.says('found')
  t.match(await logIn(), { status: 200, url: /\/healthz$/ }, 'it is tried again each time')
  t.match(await discovery(), /^discovery good/)
  t.same(
    await broker.rows('SELECT * FROM login_failure WHERE failures > 0'),
    [],
    'nothing was counted',
  )
  t.match(await broker.admin.get('/users/alice'), { roles: [{ role: 'staff' }] })
}

async function clocks(t: Test): Promise<void> {
  const { broker, stub, logIn } = await stage(t, '127.0.0.1')
  const minutes = async (skew: number, claims: object, wanted: object): Promise<void> => {
    stub.skewMs = skew * 60_000
    const before = stub.claims
    stub.claims = { ...before, ...claims }
    t.match(await logIn(), wanted, `${skew} minutes ${JSON.stringify(claims)}`)
    stub.claims = before
  }
  const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds
  const good = { status: 200, url: /\/healthz$/ }
  await minutes(0, {}, good)
  await minutes(0, { nbf: inSeconds(20) }, good)
  const early = /clocks.*differ.*not valid yet.*NTP/
  await minutes(2, { nbf: inSeconds(120) }, { status: 503, text: early })
  await minutes(5, { nbf: inSeconds(300) }, { status: 503, text: early })
  const late = /clocks.*differ.*over already.*NTP/
  await minutes(-6, {}, { status: 503, text: late })
  await minutes(-60, {}, { status: 503, text: late })
  await minutes(0, {}, good)
  t.same(
    await broker.rows('SELECT * FROM login_failure WHERE failures > 0'),
    [],
    'nothing was counted',
  )
}

async function oldDocument(t: Test): Promise<void> {
  const { stub, logIn } = await stage(t, '127.0.0.1')
  const asked = (): number =>
    stub.asked.filter((path) => path === '/.well-known/openid-configuration').length
  const now = performance.now.bind(performance)
  let later = 0
  performance.now = () => now() + later
  t.teardown(() => {
    performance.now = now
  })
  t.match(await logIn(), { status: 200 })
  t.equal(asked(), 1)
  stub.instead = { '/.well-known/openid-configuration': [503, {}] }
  later += 2 * 3_600_000
  for (let person = 0; person < 5; person++) t.match(await logIn(), { status: 200 })
  t.equal(asked(), 2, 'one of them asked, and the others did not wait for it')
  later += 120_000
  t.match(await logIn(), { status: 200 })
  t.equal(asked(), 3, 'it is asked again after a while')
  stub.instead = {}
  later += 120_000
  t.match(await logIn(), { status: 200 })
  t.match(await logIn(), { status: 200 })
  t.equal(asked(), 4, 'and no more once it has answered')
}

/** A name server of the test's own, for this process alone: a namespace with its own loopback and resolv.conf. */
if (process.env[HERE] === undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'berth-names-'))
  writeFileSync(join(folder, 'resolv.conf'), 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n')
  t.teardown(() => {
    rmSync(folder, { recursive: true, force: true })
  })
  await t.spawn(
    'unshare',
    [
      '--mount',
      '--net',
      '--',
      'sh',
      '-ec',
      'mount --bind "$0" /etc/resolv.conf; ip link set lo up; exec "$@"',
      join(folder, 'resolv.conf'),
      process.execPath,
      ...process.execArgv,
      fileURLToPath(import.meta.url),
    ],
    { env: { ...process.env, [HERE]: '1' } },
    'with name servers of its own',
  )
} else {
  t.test('names that cannot be looked up refuse nobody, and are told from wrong ones', away)
  t.test('clocks that differ are told as what they are', clocks)
  t.test('what a provider said of itself is used on while it is not to be asked', oldDocument)
}
