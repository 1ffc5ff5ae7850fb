import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test, test } from 'tap'
import { Authority } from '../../broker/certificates/authority.js'
import { HELD_MS, LONG_POLL_MS, SHORTEST_POLL_MS } from '../../thin-client/policy-times.js'
import { until } from '../support/until.js'
import { type AgentUnderTest, bundleAgent, startAgent } from './agent-under-test.js'
import { DEVICE_KEY, waiting } from './answers.js'
import { type BrokerStandIn, type Reaction, sendJson, startBroker } from './broker-stand-in.js'
import { BAD_ANSWERS } from './bad-answers.js'

t.setTimeout(240_000)

async function agentFor(
  t: Test,
  directory: string,
  args: readonly string[],
): Promise<AgentUnderTest> {
  const agent = startAgent(await bundleAgent(directory), [
    '--state-dir',
    join(directory, 'state'),
    ...args,
  ])
  t.teardown(() => agent.stop())
  return agent
}

async function staged(
  t: Test,
  options: Parameters<typeof startBroker>[1] = {},
): Promise<{ broker: BrokerStandIn; directory: string }> {
  const directory = t.testdir()
  const broker = await startBroker(join(directory, 'authority'), options)
  t.teardown(() => broker.close())
  return { broker, directory }
}

/** Gives the port of a TCP server that is no broker. */
async function listen(t: Test, greet: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined))
    greet(socket)
  }).listen(0, '127.0.0.1')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

test('no bad answer ends the agent, each is told in one sentence, and the good one after it counts', async (t) => {
  const { broker, directory } = await staged(t)
  broker.react(waiting({ sentence: 'At first.' }))
  const agent = await agentFor(t, directory, [
    '--broker',
    `localhost:${broker.port}`,
    '--ca',
    broker.fingerprint,
    '--config',
    '/dev/null',
  ])
  await agent.says('At first.')
  for (const [what, reaction, sentence] of BAD_ANSWERS) {
    broker.react(reaction, waiting({ sentence: `After ${what}.` }))
    await agent.says(sentence)
    await agent.says(`After ${what}.`, 20_000)
    t.match(agent.log(), sentence, `${what}, for who reads the journal`)
  }
  const before = broker.questions.length
  broker.react((response) => sendJson(response, 503, { message: 'It is being repaired.' }))
  await until(() => broker.questions.length >= before + 3, {
    withinMs: 60_000,
    what: 'it asks again and again',
  })
  t.equal(agent.log().split('It is being repaired.').length - 1, 1, 'one line, not one a try')
  t.strictSame(await agent.stop(), { code: 0, signal: null })
})

test('behind a proxy that ends silent questions the broker is to answer before', async (t) => {
  const { broker, directory } = await staged(t)
  const cut: Reaction = (response) => {
    setTimeout(() => sendJson(response, 504, { message: 'Gateway time-out.' }), HELD_MS + 500)
  }
  broker.react(waiting(), cut, cut, waiting({ sentence: 'Through.' }))
  const agent = await agentFor(t, directory, [
    '--broker',
    `localhost:${broker.port}`,
    '--ca',
    broker.fingerprint,
    '--config',
    '/dev/null',
  ])
  await agent.says('Through.', 90_000)
  t.same(
    broker.questions.slice(0, 4).map(({ body }) => body.waitMs),
    [0, LONG_POLL_MS, LONG_POLL_MS, SHORTEST_POLL_MS],
    'one may be a broker that restarts; from the second on it is the network',
  )
})

test('Retry-After is kept', async (t) => {
  const { broker, directory } = await staged(t)
  broker.react(
    (response) => sendJson(response, 503, { message: 'Later.' }, { 'retry-after': '3' }),
    waiting({ sentence: 'Now.' }),
  )
  const agent = await agentFor(t, directory, [
    '--broker',
    `localhost:${broker.port}`,
    '--ca',
    broker.fingerprint,
    '--config',
    '/dev/null',
  ])
  await agent.says('Now.', 15_000)
  t.ok((broker.questions[1]?.atMs ?? 0) - (broker.questions[0]?.atMs ?? 0) >= 3000)
})

test('one connection serves many questions', async (t) => {
  const { broker, directory } = await staged(t)
  broker.react(waiting())
  await agentFor(t, directory, [
    '--broker',
    `localhost:${broker.port}`,
    '--ca',
    broker.fingerprint,
    '--config',
    '/dev/null',
  ])
  await until(() => broker.questions.length >= 6, { withinMs: 15_000, what: 'six questions' })
  t.equal(broker.connections(), 1)
})

test('certificates: nothing is sent to a broker that is not the pinned one', async (t) => {
  const directory = t.testdir()
  for (const name of ['authority', 'stranger']) mkdirSync(join(directory, name))
  const authority = await Authority.open(join(directory, 'authority'))
  const stranger = await Authority.open(join(directory, 'stranger'))
  const strangersPair = await stranger.issueServer(['localhost'])
  const cases = [
    [
      'another CA',
      { pair: strangersPair, chain: stranger.certificate },
      /another CA: expected sha256:[0-9a-f]{64}, got sha256:[0-9a-f]{64}\./,
    ],
    [
      'the right CA beside a leaf it did not sign',
      { pair: strangersPair, chain: authority.certificate },
      /shows a certificate/,
    ],
    ['another name', { names: ['other.example'] }, /not for this name: .*localhost/],
  ] as const
  for (const [what, options, sentence] of cases) {
    const broker = await startBroker(join(directory, 'authority'), options)
    const agent = startAgent(await bundleAgent(directory), [
      '--broker',
      `localhost:${broker.port}`,
      '--ca',
      authority.fingerprint,
      '--state-dir',
      join(directory, 'state'),
      '--config',
      '/dev/null',
    ])
    await agent.says(sentence)
    t.equal(broker.questions.length, 0, what)
    await agent.stop()
    await broker.close()
  }
})

test(
  'trust at first use: the fingerprint is shown and kept; another CA is refused with both, ' +
    'also after a restart',
  async (t) => {
    const { broker, directory } = await staged(t)
    broker.react(waiting({ deviceKey: DEVICE_KEY }))
    const args = ['--broker', `localhost:${broker.port}`, '--config', '/dev/null']
    const agent = await agentFor(t, directory, args)
    await agent.says(`CA ${broker.fingerprint} (trusted at first contact)`)
    await until(() => broker.questions.length >= 2, { withinMs: 10_000, what: 'a second question' })
    await broker.close()
    const other = await startBroker(join(directory, 'other'), { port: broker.port })
    t.teardown(() => other.close())
    await agent.says(`expected ${broker.fingerprint}, got ${other.fingerprint}`, 40_000)
    await agent.stop()
    const restarted = await agentFor(t, directory, args)
    await restarted.says(`expected ${broker.fingerprint}, got ${other.fingerprint}`)
    t.equal(other.questions.length, 0, 'the key was not shown to it')
  },
)

test('a plain-text server, a silent one, none: told, and tried again', async (t) => {
  const directory = t.testdir()
  const plain = await listen(t, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  const agent = await agentFor(t, directory, [
    '--broker',
    `127.0.0.1:${plain}`,
    '--config',
    '/dev/null',
  ])
  await agent.says('does not speak TLS')
  const silent = await listen(t, () => undefined)
  const waitingAgent = startAgent(join(directory, 'berth-thin-client.mjs'), [
    '--broker',
    `127.0.0.1:${silent}`,
    '--state-dir',
    join(directory, 's2'),
    '--config',
    '/dev/null',
  ])
  await waitingAgent.says('does not answer within 10 s', 15_000)
  await waitingAgent.stop()
  const nowhere = startAgent(join(directory, 'berth-thin-client.mjs'), [
    '--broker',
    'no-such-host.invalid',
    '--state-dir',
    join(directory, 's3'),
    '--config',
    '/dev/null',
  ])
  await nowhere.says(
    /no-such-host\.invalid:8443 has a name that (does not resolve|cannot be resolved now)\./,
  )
  await nowhere.stop()
})

test('faulty settings are told with their lines; corrected, they are used without a restart', async (t) => {
  const { broker, directory } = await staged(t)
  broker.react(waiting({ sentence: 'Corrected.' }))
  mkdirSync(join(directory, 'etc'))
  const file = join(directory, 'etc/thin-client.conf')
  writeFileSync(file, `broker=localhost:${broker.port}\ncolour=blue\nca=12\n`)
  const agent = await agentFor(t, directory, ['--config', file])
  await agent.says(
    /The settings are refused: .*conf line 2: "colour" is not a setting; .*line 3: ca: "12"/,
  )
  t.equal(broker.questions.length, 0)
  writeFileSync(file, `broker=localhost:${broker.port}\nca=${broker.fingerprint}\n`)
  await agent.says('Corrected.')
})

test('a spoilt or unwritable state directory is told and survived', async (t) => {
  const { broker, directory } = await staged(t)
  broker.react(waiting({ deviceKey: DEVICE_KEY, sentence: 'Met.' }))
  writeFileSync(join(directory, 'state'), 'a file where the directory should be')
  const agent = await agentFor(t, directory, [
    '--broker',
    `localhost:${broker.port}`,
    '--ca',
    broker.fingerprint,
    '--config',
    '/dev/null',
  ])
  await agent.says(/The device key in .* cannot be read/)
  t.equal(broker.questions.length, 0)
})

test('the command line alone', async (t) => {
  const directory = t.testdir()
  const bundle = await bundleAgent(directory)
  const help = startAgent(bundle, ['--help'])
  t.equal((await help.ended).code, 0)
  t.match(help.screen(), 'Exit codes:')
  const version = startAgent(bundle, ['--version'])
  t.equal((await version.ended).code, 0)
  t.match(version.screen(), /^\d+\.\d+\.\d+\n$/)
  const wrong = startAgent(bundle, ['--colour', 'blue'])
  t.equal((await wrong.ended).code, 2)
  t.match(wrong.log(), /colour.*see --help\.\n$/)
})
