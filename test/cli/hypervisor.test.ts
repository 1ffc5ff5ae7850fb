import { Type } from '@sinclair/typebox'
import { test, type Test } from 'tap'
import { Hypervisor, HypervisorPatch } from '../../broker/api/hypervisors.js'
import { CheckStarted, type Finding } from '../../broker/api/checks.js'
import { DrainRequest, DrainState } from '../../broker/api/drains.js'
import { hypervisor, job, NOW, target } from './samples.js'
import { answer, refuse, stream } from './stub-broker.js'
import { bench, type Bench, INSTALL_LINE } from './with-broker.js'

test('list, set, remove, domains', async (t) => {
  const it = await bench(t)
  const HypervisorList = Type.Object({ hypervisors: Type.Array(Hypervisor) })
  it.broker.on(
    'GET /hypervisors',
    answer(HypervisorList, {
      hypervisors: [
        hypervisor(),
        hypervisor({
          name: 'hv2',
          state: 'unreachable',
          reason: 'no route',
          capacity: null,
          virtType: null,
          versions: null,
        }),
      ],
    }),
  )
  const { stdout } = await it.berth(['hypervisor', 'list'])
  const [head, first, second, ...rest] = stdout.split('\n')
  t.match(head, /^NAME +ADDRESS +STATE/)
  t.match(first, /^hv1 +10\.77\.1\.2:22 +up +qemu +2 +2 +20\.0 GiB +5\.0 GiB +-$/)
  t.match(second, /^hv2 +10\.77\.1\.2:22 +unreachable +- +2 +- +- +- +no route$/)
  t.same(rest, [''])
  it.broker.on(
    'GET /hypervisors/hv1',
    answer(Hypervisor, hypervisor({ state: 'unreachable', reason: 'no helper' })),
  )
  t.match(
    await it.berth(['hypervisor', 'show', 'hv1']),
    { code: 0, stdout: /reason: +no helper\n/ },
    'without an install line too',
  )
  it.broker.on(
    'GET /hypervisors/hv1/install-line',
    answer(Type.Object({ installLine: Type.String() }), { installLine: INSTALL_LINE }),
  )
  t.match(await it.berth(['hypervisor', 'show', 'hv1']), {
    code: 0,
    stdout: /install line: +curl /,
  })
  await setAndRemove(t, it)
})

async function setAndRemove(t: Test, it: Bench): Promise<void> {
  it.broker.on(
    'PATCH /hypervisors/hv1',
    answer(Hypervisor, hypervisor(), { request: HypervisorPatch }),
  )
  t.match(await it.berth(['hypervisor', 'set', 'hv1', '--display-address', 'hv1.example']), {
    code: 0,
    stdout: /name: +hv1\n/,
  })
  t.match(await it.berth(['hypervisor', 'set', 'hv1']), { code: 2, stderr: /Nothing to change/ })
  t.match(await it.berth(['hypervisor', 'set', 'hv1', '--max-starts', '65']), {
    code: 2,
    stderr: /from 1 to 64/,
  })
  it.broker.on(
    'DELETE /hypervisors/hv1',
    refuse('has_dependants', 'hv1 has machines.', ['pc-01', 'pc-02']),
  )
  t.match(await it.berth(['hypervisor', 'remove', 'hv1', '--yes']), {
    code: 1,
    stderr: 'berth: hv1 has machines.\n  pc-01\n  pc-02\n',
  })
  it.broker.on(
    'DELETE /hypervisors/hv1?force=true',
    answer(Type.Undefined(), undefined, { status: 204 }),
  )
  t.match(await it.berth(['hypervisor', 'remove', 'hv1', '--yes', '--force']), { code: 0 })
}

test('check shows what was found and what to do, and its exit code says whether something failed', async (t) => {
  const it = await bench(t)
  const finding = (result: Finding['result'], sentence: string, advice = ''): Finding => ({
    result,
    measured: '3 ms',
    says: [{ code: 'x', values: {}, sentence, advice }],
  })
  const ended = (worst: Finding): Parameters<typeof job>[0] => ({
    id: 'c1',
    kind: 'check',
    subject: 'hv1',
    targets: [
      target('port', { finding: finding('ok', 'Somebody answers.') }),
      target('sshd', {
        state: worst.result === 'failed' ? 'failed' : 'done',
        message: worst.says[0]?.sentence ?? '',
        finding: worst,
      }),
    ],
  })
  it.broker.on('POST /hypervisors/hv1/check', answer(CheckStarted, { job: 'c1' }, { status: 202 }))
  it.broker.on(
    'GET /hypervisors',
    answer(Type.Object({ hypervisors: Type.Array(Hypervisor) }), { hypervisors: [hypervisor()] }),
  )
  it.broker.on(
    'GET /jobs/c1/events',
    stream([job(ended(finding('warning', 'Two sessions.', 'Set MaxSessions.')))]),
  )
  t.match(await it.berth(['hypervisor', 'check', 'hv1']), {
    code: 0,
    stdout:
      /hv1:[^]*port +ok +3 ms +-[^]*sshd +warning +3 ms +Two sessions\.[^]*sshd: Set MaxSessions\./,
  })
  it.broker.on(
    'GET /jobs/c1/events',
    stream([job(ended(finding('failed', 'No forwarding.', 'Allow it.')))]),
  )
  t.match(await it.berth(['hypervisor', 'check']), { code: 1, stdout: /sshd +failed/ }, 'all hosts')
  t.match(await it.berth(['hypervisor', 'check', 'hv1', '-o', 'json']), {
    code: 1,
    stdout: /"advice": "Allow it\."/,
  })
})

const drainState = (more: Partial<DrainState> = {}): DrainState => ({
  drain: { beganAt: NOW, by: 'admin', message: '', deadline: null, total: 1, emptyAt: null },
  left: 1,
  others: ['foreign'],
  sentence: '1 of 1 left.',
  machines: [
    {
      machine: 'pc-01',
      pool: 'lab',
      power: 'running',
      step: 'holder',
      sentence: 'ann has it: it stays until she leaves.',
      holder: 'ann',
      connected: true,
      until: null,
    },
    {
      machine: 'pc-02',
      pool: null,
      power: 'off',
      step: 'rest',
      sentence: 'It is off.',
      holder: null,
      connected: false,
      until: null,
    },
  ],
  ...more,
})

const EMPTY = drainState({
  drain: { beganAt: NOW, by: 'admin', message: '', deadline: null, total: 1, emptyAt: NOW },
  left: 0,
  machines: [],
  others: [],
  sentence: 'It is empty: it may be switched off.',
})

test('drain says who is affected, asks, and waits until it is empty', async (t) => {
  const it = await bench(t)
  it.broker.on('GET /hypervisors/hv1/drain', answer(DrainState, drainState({ drain: null })))
  it.broker.on(
    'POST /hypervisors/hv1/drain',
    answer(DrainState, drainState(), { request: DrainRequest }),
  )
  const words = ['hypervisor', 'drain', 'hv1']
  t.match(await it.berth([...words, '--show']), {
    code: 0,
    stdout: /pc-01 +lab +running +ann \(connected\)[^]*Not Berth's: foreign/,
  })
  t.match(
    await it.berth(words),
    { code: 2, stderr: /ann has it[^]*--yes/ },
    'without a terminal it must be said',
  )
  t.notOk(
    it.broker.asked.some(({ method }) => method === 'POST'),
    'nothing was ordered',
  )
  t.match(await it.cli.talk(words, [[/Empty hv1\?/, '']]), { code: 1, stdout: /nothing was done/ })
  const states = [drainState({ drain: null }), drainState(), EMPTY]
  it.broker.on('GET /hypervisors/hv1/drain', (asked, response) => {
    answer(DrainState, states.length > 1 ? states.shift() : EMPTY)(asked, response)
  })
  t.match(
    await it.berth([
      ...words,
      '--yes',
      '--wait',
      '--deadline',
      'PT2H',
      '--message',
      'Please leave.',
    ]),
    { code: 0, stderr: /1 of 1 left/, stdout: /hv1: It is empty/ },
  )
  t.strictSame(it.broker.asked.filter(({ method }) => method === 'POST').at(-1)?.body, {
    message: 'Please leave.',
    deadline: 'PT2H',
  })
})
