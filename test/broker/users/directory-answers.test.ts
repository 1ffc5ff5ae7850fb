import { pino } from 'pino'
import t from 'tap'
import { Directories } from '../../../broker/users/directories.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { directorySettings } from './directory-config.js'
import { type Question, type Reply, StubDirectory } from './stub-directory.js'

const ALICE = 'CN=alice,DC=example'
const data = (code: string): string =>
  `80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data ${code}, v3839`

/** A directory that knows alice, whose password is answered with this; her groups too. */
async function directory(
  password: (given: string) => Reply,
  groups: (said: string) => Reply = () => ({}),
): Promise<StubDirectory> {
  const reply = (question: Question): Reply => {
    if (question.kind === 'bind') return question.dn === ALICE ? password(question.password) : {}
    if (!question.said.includes('member'))
      return { entries: [[ALICE, { sAMAccountName: 'alice', displayName: 'Alice' }]] }
    return groups(question.said)
  }
  const stub = await StubDirectory.start(reply)
  t.teardown(() => {
    stub.remove()
  })
  return stub
}

const settings = (...stubs: StubDirectory[]) =>
  directorySettings({
    type: 'active-directory',
    urls: stubs.map(({ url }) => url),
    base: 'DC=example',
    'ca-file': stubs[0]?.ca ?? '',
    'group-name': 'cn',
    timeout: 'PT2S',
    roles: { one: ['first'], two: ['second'] },
  })
const directories = (...stubs: StubDirectory[]): Directories =>
  new Directories([settings(...stubs)], pino({ level: 'silent' }))

t.test(
  'only "invalid credentials" and "no such entry" are a no; every other code is asked of the next server',
  async (t) => {
    for (const code of [32, 49]) {
      const one = await directory(() => ({ code }))
      t.match(await directories(one).login('alice', 'x', null), { kind: 'wrong' }, `code ${code}`)
    }
    for (const code of [1, 2, 3, 7, 8, 10, 11, 13, 50, 51, 52, 53, 54, 80]) {
      const one = await directory(() => ({ code }))
      t.match(
        await directories(one).login('alice', 'x', null),
        { kind: 'could-not-say', fault: { code: 'directory_unreachable' } },
        `code ${code}`,
      )
      const good = await StubDirectory.start((question) =>
        question.kind === 'bind' ? { code: question.password === 'right' ? 0 : 49 } : {},
      )
      t.match(
        await new Directories(
          [{ ...settings(one), urls: [one.url, 'ldaps://127.0.0.1:1'] }],
          pino({ level: 'silent' }),
        ).login('alice', 'x', null),
        { kind: 'could-not-say' },
      )
      good.remove()
    }
  },
)

t.test('the next server that can say decides', async (t) => {
  const busy = await directory(() => ({ code: 51 }))
  const good = await directory((password) => ({ code: password === 'right' ? 0 : 49 }))
  // One file of trusted certificates serves both.
  const { mkdtempSync, readFileSync, rmSync, writeFileSync } = await import('node:fs')
  const { join } = await import('node:path')
  const { tmpdir } = await import('node:os')
  const folder = mkdtempSync(join(tmpdir(), 'berth-cas-'))
  t.teardown(() => {
    rmSync(folder, { recursive: true })
  })
  const both = join(folder, 'cas.pem')
  writeFileSync(both, `${readFileSync(busy.ca, 'utf8')}\n${readFileSync(good.ca, 'utf8')}`)
  const asked = new Directories(
    [{ ...settings(busy, good), 'ca-file': both }],
    pino({ level: 'silent' }),
  )
  t.match(await asked.login('alice', 'right', null), { kind: 'right', person: { name: 'alice' } })
  t.match(await asked.login('alice', 'wrong', null), { kind: 'wrong' })
})

t.test(
  "Active Directory's reasons: told to the person only where a right password was needed to hear them",
  async (t) => {
    const states = {
      '530': true,
      '531': true,
      '532': true,
      '533': true,
      '701': true,
      '773': true,
      '775': false,
    }
    for (const [code, proven] of Object.entries(states)) {
      const one = await directory(() => ({ code: 49, message: data(code) }))
      t.match(await directories(one).login('alice', 'x', null), {
        kind: 'refused',
        name: 'alice',
        state: { code, proven },
      })
      t.match(
        (await directories(one).test('corp', 'alice', 'x')).steps.find(
          ({ step }) => step === 'password',
        ),
        { said: new RegExp(`refused \\(${code}\\)`) },
      )
    }
    for (const code of ['52e', '525'])
      t.match(
        await directories(await directory(() => ({ code: 49, message: data(code) }))).login(
          'alice',
          'x',
          null,
        ),
        { kind: 'wrong' },
      )
    for (const code of ['51f', '6ba'])
      t.match(
        await directories(await directory(() => ({ code: 49, message: data(code) }))).login(
          'alice',
          'x',
          null,
        ),
        { kind: 'could-not-say' },
        'a controller that has nobody to ask',
      )
  },
)

t.test(
  'through the broker: status, words, audit log and limits for each kind of answer',
  async (t) => {
    let now: Reply = {}
    let groups: (said: string) => Reply = () => ({
      entries: [['CN=one,DC=example', { cn: 'one' }]],
    })
    const stub = await directory(
      () => now,
      (said) => groups(said),
    )
    const broker = await SimulatedBroker.start({ config: { directories: [settings(stub)] } })
    t.teardown(async () => {
      await broker.remove()
    })
    const ask = async (name = 'alice') =>
      await broker.anybody.raw('POST', '/api/v1/login', { name, password: 'secret of alice' })
    const events = async (action: string) =>
      (
        await broker.admin.get<{ events: Array<Record<string, unknown>> }>(
          `/events?action=${action}`,
        )
      ).events

    now = { code: 49, message: data('532') }
    for (let again = 0; again < 8; again++)
      t.match(await ask(), {
        status: 403,
        body: { code: 'account_refused', message: /password has expired/ },
      })
    t.match((await events('login'))[0], {
      actor: 'alice',
      result: 'refused',
      detail: { directory: 'corp', code: '532' },
    })
    now = { code: 53 }
    for (let again = 0; again < 8; again++) t.match(await ask(), { status: 503 })
    now = {}
    t.match(await ask(), { status: 200 }, 'none of these was a failure of hers')
    t.match(await broker.admin.get('/users/alice'), { roles: [{ role: 'first' }] })

    groups = () => ({ code: 3 })
    t.match(await ask(), { status: 200 })
    t.match(
      await broker.admin.get('/users/alice'),
      { roles: [{ role: 'first' }] },
      'a limit takes no role away',
    )
    t.match((await events('account.roles-unknown'))[0], {
      actor: 'alice',
      detail: { source: 'corp' },
    })
    groups = (said) =>
      said.includes('1.2.840.113556.1.4.1941')
        ? { code: 11 }
        : said.includes('alice')
          ? { entries: [['CN=two,DC=example', { cn: 'two' }]] }
          : {}
    t.match(await ask(), { status: 200 })
    t.match(
      await broker.admin.get('/users/alice'),
      { roles: [{ role: 'second' }] },
      'the walk finds all',
    )
    groups = (said) =>
      said.includes('1.2.840.113556.1.4.1941')
        ? { silent: true }
        : said.includes('alice')
          ? { entries: [['CN=one,DC=example', { cn: 'one' }]] }
          : {}
    t.match(await ask(), { status: 200 })
    t.match(
      await broker.admin.get('/users/alice'),
      { roles: [{ role: 'first' }] },
      'also after a question that was never answered',
    )
    groups = () => ({ code: 51 })
    t.match(await ask(), { status: 503 }, 'one that is busy is not at a limit')
    groups = () => ({})
    t.match(await ask(), { status: 200 })
    t.match(await broker.admin.get('/users/alice'), { roles: [] }, 'an empty answer is a real one')

    now = { code: 49, message: data('775') }
    t.match(await ask(), { status: 401, body: { message: 'The name or the password is wrong.' } })
    t.match((await events('login'))[0], { result: 'refused', detail: { code: '775' } })
    now = { code: 49 }
    t.match(await ask('my-secret-that-i-typed-here'), { status: 401 })
    t.match((await events('login'))[0], { actor: '(unknown name)', result: 'refused' })
    t.notOk(
      JSON.stringify(await broker.rows('SELECT * FROM event')).includes(
        'my-secret-that-i-typed-here',
      ),
    )
  },
)
