import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import t from 'tap'
import type { AskAnswer } from '../../broker/api/thin-clients.js'
import type { SpiceConsole } from '../../broker/api/machines.js'
import { ApiClient } from '../support/api-client.js'
import { BrokerProcess } from '../support/broker-process.js'
import { FINGERPRINT } from '../support/simulated-broker.js'
import { until } from '../support/until.js'

t.setTimeout(120_000)

/** Said by callers where it does not belong; by no means may it be kept. */
const SAID = 'said-by-a-caller-0f8d3c'

const directory = mkdtempSync(join(tmpdir(), 'berth-secrets-'))
const broker = await BrokerProcess.start({
  directory,
  address: '127.0.0.1',
  port: 18_551,
  thinClientNetworks: ['127.0.0.0/8'],
  simulatedHosts: true,
  settings: { 'log-level': 'debug' },
})
t.teardown(async () => {
  await broker.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** By what it is, for the message: every secret that was given out or said. */
const secrets = new Map<string, string>([
  ['the password', broker.adminPassword],
  ['what a caller said', SAID],
])

t.test(
  'a day of a broker: logins, tokens, devices, tickets, and callers who say too much',
  async (t) => {
    const { token: login } = await new ApiClient(broker.url, broker.ca).post<{ token: string }>(
      '/login',
      { name: 'admin', password: broker.adminPassword },
    )
    const admin = new ApiClient(broker.url, broker.ca, login)
    secrets.set('the token of a login', login)
    secrets.set(
      'the token of a program',
      (await admin.post<{ token: string }>('/tokens', { name: 'program' })).token,
    )
    await admin.post('/hypervisors', {
      name: 'hv1',
      address: '192.0.2.1',
      fingerprint: FINGERPRINT,
      virtType: 'qemu',
    })
    await until(
      async () => (await admin.get<{ state: string }>('/hypervisors/hv1')).state === 'up',
      { withinMs: 5_000, what: 'hv1 is up' },
    )
    await admin.done('/machines', {
      name: 'pc-1',
      type: 'simple',
      hypervisors: ['hv1'],
    })
    await admin.put('/clients-xml', {
      text:
        '<thin-clients><client ' +
        'mac="52:54:00:00:00:01"><protocol>SPICE</protocol><machine-name>pc-1</machine-name></client></thin-clients>',
    })
    await askAsDevice(t)
    secrets.set(
      'the ticket of a console',
      (await admin.post<SpiceConsole>('/machines/pc-1/console', { take: true })).password,
    )
    await saySecrets(admin)
    const changed = `${SAID}-as-a-new-password`
    await admin.post('/password', { oldPassword: broker.adminPassword, newPassword: changed })
    secrets.set('the new password', changed)
  },
)

async function askAsDevice(t: {
  match: (found: unknown, wanted: object) => unknown
}): Promise<void> {
  const ask = async (key?: string): Promise<AskAnswer> =>
    (
      await new ApiClient(broker.url, broker.ca).raw(
        'POST',
        '/api/v1/thin-clients/ask',
        { macs: ['52:54:00:00:00:01'], hostname: 'desk', version: '1' },
        key === undefined ? {} : { authorization: `Device ${key}` },
      )
    ).body as AskAnswer
  const { deviceKey = '' } = await ask()
  t.match(deviceKey, /^[0-9a-f]{64}$/)
  secrets.set('the key of a device', deviceKey)
  const { console } = await until(
    async () => {
      const answer = await ask(deviceKey)
      return answer.state === 'ready' ? answer : null
    },
    { withinMs: 10_000, what: 'the desktop is ready' },
  )
  secrets.set('the ticket of a device', console?.protocol === 'spice' ? console.password : '')
  await ask('f'.repeat(64))
}

/**
 * In fields and headers where a secret does not belong, of the wrong form, half a body, to
 * addresses that are not there.
 */
async function saySecrets(admin: ApiClient): Promise<void> {
  const anybody = new ApiClient(broker.url, broker.ca)
  for (const client of [anybody, admin]) {
    await client.raw('POST', '/api/v1/login', { name: 'admin', password: SAID })
    await client.raw('POST', '/api/v1/login', { name: 'admin', password: { value: SAID } })
    await client.raw('POST', '/api/v1/login', `{"name": "admin", "password": "${SAID}`)
    await client.raw('POST', '/api/v1/login', `password=${SAID}`, {
      'content-type': 'application/x-www-form-urlencoded',
    })
    await client.raw('POST', '/api/v1/password', {
      oldPassword: SAID,
      newPassword: `${SAID}${SAID}`,
    })
    await client.raw('POST', '/api/v1/tokens', { name: 'x', token: SAID, [SAID]: true })
    await client.raw('POST', '/api/v1/machines', {
      name: 'pc-2',
      type: 'simple',
      hypervisors: ['hv1'],
      password: SAID,
    })
    await client.raw('POST', '/api/v1/machines/adopt', {
      hypervisor: 'hv1',
      name: 'nothing',
      token: SAID,
    })
    await client.raw('GET', `/api/v1/machines?token=${SAID}`)
    await client.raw('GET', `/api/v1/nothing/${SAID}?password=${SAID}`)
  }
  for (const headers of [
    { authorization: `Bearer ${SAID}` },
    { authorization: `Basic ${SAID}` },
    { authorization: SAID },
    { authorization: `Device ${SAID}` },
    { cookie: `session=${SAID}` },
    { 'x-api-key': SAID },
  ]) {
    await anybody.raw('GET', '/api/v1/whoami', undefined, headers)
    await anybody.raw(
      'POST',
      '/api/v1/thin-clients/report',
      { macs: ['52:54:00:00:00:01'], showing: null },
      headers,
    )
    await anybody.raw('GET', '/metrics', undefined, headers)
  }
}

function where(text: string): string[] {
  return [...secrets].filter(([, secret]) => text.includes(secret)).map(([what]) => what)
}

t.test('none of it is in the log', async (t) => {
  for (const [what, secret] of secrets) t.ok(secret.length >= 20, what)
  const log = await until(
    () => {
      const text = readFileSync(broker.logFile, 'utf8')
      return text.includes('/api/v1/password') ? text : null
    },
    { withinMs: 5_000, what: 'the log tells of the last request' },
  )
  t.ok(log.split('\n').length > 40, 'the log tells of every request')
  t.same(where(log), [])
  t.notMatch(log, /PRIVATE KEY/)
})

t.test('nor in the audit log', async (t) => {
  const database = new Database(join(directory, 'data', 'berth.sqlite'), { readonly: true })
  const events = database.prepare('SELECT * FROM event').all()
  database.close()
  t.ok(events.length > 5)
  t.same(where(JSON.stringify(events)), [])
})

t.test('nor in any file of the data directory, but the first password in its own', async (t) => {
  const files = (readdirSync(join(directory, 'data'), { recursive: true }) as string[]).filter(
    (name) => statSync(join(directory, 'data', name)).isFile(),
  )
  t.ok(files.length > 5)
  for (const name of files)
    t.same(
      where(readFileSync(join(directory, 'data', name), 'latin1')),
      name === 'admin-password' ? ['the password'] : [],
      name,
    )
})
