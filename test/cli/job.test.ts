import { test } from 'tap'
import { JobRef, PopulateRequest } from '../../broker/api/images.js'
import { Job } from '../../broker/api/jobs.js'
import { until } from '../support/until.js'
import { job, target } from './samples.js'
import { answer, refuse, stream } from './stub-broker.js'
import { bench } from './with-broker.js'

const RUNNING = job({
  state: 'running',
  targets: [
    target('pc-01', { state: 'running', step: 'convert', done: 2 ** 29, total: 2 ** 30 }),
    target('pc-02', { state: 'pending', step: '' }),
  ],
})
const REF = answer(JobRef, { job: '7' }, { status: 202, request: PopulateRequest })

test('a job is followed until it has ended: progress on standard error, the end on standard output', async (t) => {
  const { broker, berth } = await bench(t)
  broker.on('POST /machines/win11/populate', REF)
  broker.on('GET /jobs/7/events', stream([RUNNING, job()]))
  const table = await berth(['populate', 'win11', '--start', '--generation', 'g3'])
  t.match(table, { code: 0, stdout: 'job 7 (populate win11): succeeded: 2 of 2 done\n' })
  t.match(table.stderr, /job 7: pc-01: running: convert: 50 % \(512 MiB of 1.0 GiB\)\n/)
  t.strictSame(broker.asked[0]?.body, { generation: 'g3', start: true })
  const json = await berth(['image', 'populate', 'win11', '-o', 'json'])
  t.strictSame(JSON.parse(json.stdout), job())
  t.match(await berth(['-o', 'yaml', 'populate', 'win11', '--no-wait']), {
    code: 0,
    stdout: 'job: "7"\n',
    stderr: '',
  })
  t.match(await berth(['populate', 'win11', '--no-wait']), { code: 0, stdout: '7\n' })
})

test('exit codes tell how it ended', async (t) => {
  const { broker, berth } = await bench(t)
  const failed = target('pc-02', { state: 'failed', step: 'define', message: 'no space on hv1' })
  const cases = [
    [job({ state: 'partly', targets: [target('pc-01'), failed] }), 5],
    [job({ state: 'failed', targets: [failed], message: 'all failed' }), 1],
    [job({ state: 'cancelled', targets: [] }), 1],
  ] as const
  for (const [ended, code] of cases) {
    broker.on('GET /jobs/7/events', stream([ended]))
    const told = await berth(['job', 'follow', '7'])
    t.equal(told.code, code, ended.state)
    if (ended.targets.length > 0)
      t.match(told.stdout, /\n {2}pc-02: failed: define: no space on hv1\n/)
  }
})

test('a stream that is cut is opened again', async (t) => {
  const { broker, berth } = await bench(t)
  let opened = 0
  broker.on('GET /jobs/7/events', (asked, response) => {
    opened += 1
    const respond =
      opened === 1
        ? stream([RUNNING], {
            hold: true,
            then: () => {
              setImmediate(broker.cutAll)
            },
          })
        : opened === 2
          ? refuse('shutting_down', 'The broker is stopping.')
          : stream([job()])
    respond(asked, response)
  })
  t.match(await berth(['job', 'follow', '7']), {
    code: 0,
    stdout: /succeeded/,
    stderr: /Trying again/,
  })
  t.equal(opened, 3)
})

test('Ctrl-C stops following and says how to go on', async (t) => {
  const { cli, broker } = await bench(t)
  broker.on('GET /jobs/7/events', stream([RUNNING], { hold: true }))
  const running = cli.start(['job', 'follow', '7'])
  await until(() => running.seen().includes('convert'), { withinMs: 20_000, what: 'the progress' })
  running.process.kill('SIGINT')
  t.match(await running.ended, {
    code: 130,
    stdout: '',
    stderr: /job 7 goes on.*berth job follow 7.*berth job cancel 7/,
  })
  t.notOk(broker.asked.some((asked) => asked.path.endsWith('/cancel')))
})

test('cancel follows to the end; a job that has ended refuses', async (t) => {
  const { broker, berth } = await bench(t)
  broker.on('POST /jobs/7/cancel', answer(Job, job({ state: 'cancelling' })))
  broker.on(
    'GET /jobs/7/events',
    stream([
      job({
        state: 'cancelled',
        targets: [target('pc-01'), target('pc-02', { state: 'cancelled' })],
      }),
    ]),
  )
  t.match(await berth(['job', 'cancel', '7']), {
    code: 0,
    stdout: /cancelled: 1 of 2 done, 1 cancelled/,
  })
  broker.on('GET /jobs/7/events', stream([job()]))
  t.match(await berth(['job', 'cancel', '7']), { code: 0, stdout: /succeeded/ }, 'it was quicker')
  t.match(await berth(['job', 'cancel', '7', '--no-wait']), { code: 0, stdout: /cancelling/ })
  broker.on('POST /jobs/7/cancel', refuse('job_finished', 'Job 7 has ended.'))
  t.match(await berth(['job', 'cancel', '7']), { code: 1, stderr: 'berth: Job 7 has ended.\n' })
})

test('bars on a terminal', async (t) => {
  const { broker, cli } = await bench(t)
  const many = Array.from({ length: 12 }, (_, index) =>
    target(`pc-${index + 1}`, { state: 'running', step: 'overlay' }),
  )
  broker.on(
    'GET /jobs/7/events',
    stream([
      job({ state: 'running', targets: many }),
      job({
        state: 'partly',
        targets: many.map((it, index) => ({
          ...it,
          state: index === 3 ? ('failed' as const) : ('done' as const),
          message: index === 3 ? 'it broke' : '',
        })),
      }),
    ]),
  )
  const told = await cli.talk(['job', 'follow', '7'], [])
  t.match(told, { code: 5, stdout: /all +\[#{22}\.\.\] +91 %/ })
  t.match(told.stdout, /pc-4: failed: overlay: it broke/)
  t.match(told.stdout, /partly: 11 of 12 done, 1 failed/)
  t.match(told.stdout, /\u001b\[\?25h/, 'the cursor is back')
})
