import { test } from 'tap'
import { parseBrokerAddress, showBrokerAddress } from '../../cli/broker-address.js'
import { apiPath, apiQuery } from '../../cli/broker-client.js'
import { exitOfJobs, inParallel } from '../../cli/follow-job.js'
import { changesOf, endLine } from '../../cli/job-progress.js'
import { jsonOf, tableOf, yamlOf } from '../../cli/output.js'
import { plainLine, plainText } from '../../cli/plain-text.js'
import { parseDiskGib, parseDurationMs, parseMemoryMib, showBytes } from '../../cli/quantities.js'
import { readServerSentEvents } from '../../cli/server-sent-events.js'
import { parse } from 'yaml'
import { job, target } from './samples.js'

test('addresses of brokers', async (t) => {
  for (const [text, shown] of [
    ['broker', 'broker:8443'],
    ['Broker.Example:444', 'broker.example:444'],
    ['https://10.0.0.1/', '10.0.0.1:8443'],
    ['[::1]:9', '[::1]:9'],
    ['[fe80::1]', '[fe80::1]:8443'],
  ] as const)
    t.equal(showBrokerAddress(parseBrokerAddress(text)), shown)
  for (const text of ['', 'a b', 'http://x', 'x:0', 'x:65536', '::1', '-x', 'x/path', 'user@x'])
    t.throws(() => parseBrokerAddress(text), /not a broker's address/, text)
})

test('quantities', async (t) => {
  t.strictSame(
    ['2048', '2GiB', '2G', '1.5GiB', '1TiB'].map(parseMemoryMib),
    [2048, 2048, 2048, 1536, 1048576],
  )
  t.strictSame(['20', '20GiB', '512MiB', '1T'].map(parseDiskGib), [20, 20, 0.5, 1024])
  t.strictSame(
    ['PT2M', 'PT90S', 'P1DT12H', 'P2W', 'PT0.5S', 'P90D'].map(parseDurationMs),
    [120_000, 90_000, 129_600_000, 1_209_600_000, 500, 7_776_000_000],
  )
  for (const text of ['', '-1', '2 lots', '0x10', 'GiB', '1.3MiB'])
    t.throws(() => parseMemoryMib(text), text)
  for (const text of ['', 'P', 'PT', '2m', 'P1M', 'P1Y', 'PT-2M', 'P1DT'])
    t.throws(() => parseDurationMs(text), text)
  t.strictSame([0, 1023, 1536, 200 * 2 ** 30].map(showBytes), [
    '0 B',
    '1023 B',
    '1.5 KiB',
    '200 GiB',
  ])
})

test('nothing that a terminal obeys comes through', async (t) => {
  const evil = 'a\u001b[2Jb\r\nc\u009b1m\u202ed\u007f'
  t.equal(plainLine(evil), 'a?[2Jb c?1m?d?')
  t.equal(plainText('a\tb\nc\u001b'), 'a\tb\nc?')
  t.strictSame(JSON.parse(jsonOf({ evil })), { evil })
  t.strictSame(parse(yamlOf({ evil, text: 'two\nlines\n' })), { evil, text: 'two\nlines\n' })
  for (const shown of [jsonOf({ evil }), yamlOf({ evil })])
    t.notMatch(shown, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
  t.equal(
    tableOf<string>(
      [
        ['NAME', (it) => it],
        ['MORE', () => null],
      ],
      [evil, 'b'],
    ),
    'NAME            MORE\na?[2Jb c?1m?d?  -\nb               -',
  )
})

test('paths and queries are encoded', async (t) => {
  t.equal(apiPath`/machines/${'a/b ?ü'}/power`, '/machines/a%2Fb%20%3F%C3%BC/power')
  t.equal(apiQuery({ a: undefined, b: 'x y&', c: 3, d: true }), '?b=x+y%26&c=3&d=true')
  t.equal(apiQuery({ a: undefined }), '')
})

test('server-sent events in any pieces', async (t) => {
  const text =
    ': hi\r\n\r\nevent: job\ndata: {"a":\ndata: 1}\n\nid: 3\ndata:x\r\n\r\ndata: never ended'
  const read = async (chunks: string[]): Promise<unknown[]> => {
    const events = []
    for await (const event of readServerSentEvents(
      (async function* () {
        yield* chunks
      })(),
    ))
      events.push(event)
    return events
  }
  const expected = [
    { event: 'job', data: '{"a":\n1}' },
    { event: 'message', data: 'x' },
  ]
  t.strictSame(await read([text]), expected)
  t.strictSame(await read([...text]), expected)
})

test('a stream whose event never ends is given up', async (t) => {
  const endless = async function* (): AsyncGenerator<string> {
    for (;;) yield `data:${'x'.repeat(1024 * 1024)}\n`
  }
  const first = readServerSentEvents(endless()).next()
  await t.rejects(first, /longer than 16 MiB/)
})

test('lines of progress', async (t) => {
  const at = (done: number) =>
    job({
      state: 'running',
      targets: [target('g2', { state: 'running', step: 'convert', done, total: 1000 })],
    })
  t.strictSame(changesOf(undefined, at(0)), [
    'job 7 (populate win11): running',
    'job 7: g2: running: convert: 0 % (0 B of 1000 B)',
  ])
  t.strictSame(changesOf(at(0), at(99)), [])
  t.strictSame(changesOf(at(0), at(100)), ['job 7: g2: running: convert: 10 % (100 B of 1000 B)'])
  t.equal(
    endLine(job({ state: 'failed', message: 'no space', targets: [] })),
    'job 7 (populate win11): failed (no space)',
  )
  t.strictSame(
    [
      exitOfJobs([job()]),
      exitOfJobs([job(), job({ state: 'failed' })]),
      exitOfJobs([job({ state: 'partly' })]),
      exitOfJobs([job({ state: 'cancelled' })]),
    ],
    ['ok', 'partly', 'partly', 'refused'],
  )
})

test('work in parallel keeps the order and the width', async (t) => {
  let [now, most] = [0, 0]
  const results = await inParallel([5, 1, 4, 2, 3], 2, async (item) => {
    most = Math.max(most, (now += 1))
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    now -= 1
    return item * 2
  })
  t.strictSame(results, [10, 2, 8, 4, 6])
  t.equal(most, 2)
  t.strictSame(await inParallel([], 3, async () => 1), [])
})
