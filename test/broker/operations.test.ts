import { X509Certificate } from 'node:crypto'
import { request } from 'node:https'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Job } from '../../broker/api/jobs.js'
import { readServerSentEvents } from '../../cli/server-sent-events.js'
import { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'

t.setTimeout(120_000)
const broker = await SimulatedBroker.start({ hosts: 2 })
t.teardown(async () => {
  await broker.remove()
})
await broker.addHypervisors()
const made = await broker.admin.post<{ job: string }>('/machines', {
  name: 'pc-{n}',
  type: 'simple',
  hypervisors: ['hv1'],
  count: 3,
})
await broker.admin.succeeded(made.job)

t.test('health and readiness are told to anybody', async (t) => {
  t.match(await broker.anybody.raw('GET', '/healthz'), { status: 200, body: { status: 'ok' } })
  t.match(await broker.anybody.raw('GET', '/readyz'), { status: 200, body: { status: 'ready' } })
})

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/**
 * The text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/); throws for
 * a line that is none.
 */
function parseMetrics(text: string): {
  samples: Sample[]
  types: Map<string, string>
  helps: Map<string, string>
} {
  const [types, helps, samples] = [
    new Map<string, string>(),
    new Map<string, string>(),
    [] as Sample[],
  ]
  if (!text.endsWith('\n')) throw new Error('the last line must end in a line feed')
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line)
    if (comment) {
      const map = comment[1] === 'TYPE' ? types : helps
      if (map.has(comment[2] ?? '')) throw new Error(`twice: ${line}`)
      map.set(comment[2] ?? '', comment[3] ?? '')
      continue
    }
    const sample =
      /^([a-zA-Z_:][\w:]*)(?:\{((?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)(?: \d+)?$/.exec(
        line,
      )
    if (
      !sample ||
      (Number.isNaN(Number(sample[3])) && !/^([+-]Inf|NaN|Nan)$/.test(sample[3] ?? ''))
    )
      throw new Error(`not a sample: ${line}`)
    const labels = Object.fromEntries(
      [...(sample[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((label) => [
        label[1] ?? '',
        label[2] ?? '',
      ]),
    )
    samples.push({ name: sample[1] ?? '', labels, value: Number(sample[3]) })
  }
  return { samples, types, helps }
}

t.test('metrics are in the text format of Prometheus, for those with a token', async (t) => {
  t.match(await broker.anybody.raw('GET', '/metrics'), { status: 401 })
  broker.host('hv2').link?.setUp(false)
  await until(
    async () => (await broker.rows("SELECT id FROM machine WHERE power != 'off'")).length === 0,
    {
      withinMs: 5_000,
      what: 'every machine is seen to be off',
    },
  )
  const { text, headers, status } = await broker.admin.raw('GET', '/metrics')
  t.equal(status, 200)
  t.match(headers['content-type'], /^text\/plain; version=0\.0\.4/)
  const { samples, types, helps } = parseMetrics(text)
  for (const { name } of samples) {
    const family = [name, name.replace(/_(bucket|sum|count)$/, '')].find((one) => types.has(one))
    t.ok(family !== undefined && helps.has(family), `${name} has a type and a help`)
    t.match(name, /^berth_/)
  }
  const value = (name: string, labels: Record<string, string>): number | undefined =>
    samples.find(
      (sample) =>
        sample.name === name &&
        Object.entries(labels).every(([key, wanted]) => sample.labels[key] === wanted),
    )?.value
  t.equal(value('berth_machines', { type: 'simple', power: 'off' }), 3)
  t.equal(value('berth_hypervisor_up', { hypervisor: 'hv1' }), 1)
  t.equal(value('berth_hypervisor_up', { hypervisor: 'hv2' }), 0)
  t.ok((value('berth_hypervisor_images_free_bytes', { hypervisor: 'hv1' }) ?? 0) > 0)
  t.ok((value('berth_process_cpu_seconds_total', {}) ?? 0) > 0)
  broker.host('hv2').link?.setUp(true)
})

t.test('what is gone is not counted any more', async (t) => {
  await broker.admin.succeeded((await broker.admin.delete<{ job: string }>('/machines/pc-3')).job)
  const { samples } = parseMetrics((await broker.admin.raw('GET', '/metrics')).text)
  t.equal(
    samples
      .filter((sample) => sample.name === 'berth_machines')
      .reduce((sum, { value }) => sum + value, 0),
    2,
  )
  t.equal(
    samples.filter((sample) => sample.name === 'berth_jobs').length,
    0,
    'no job is left that has not ended',
  )
})

t.test("the certificate of the authority is the one that signed the server's", async (t) => {
  const { status, text, headers } = await broker.anybody.raw('GET', '/ca.pem')
  t.equal(status, 200)
  t.match(headers['content-type'], /pem/)
  t.ok(new X509Certificate(text).ca)
  t.equal(text.trim(), broker.ca.trim())
  t.notMatch(text, /PRIVATE/)
})

t.test("the installer is a shell script with the broker's public key", async (t) => {
  const { status, text, headers } = await broker.anybody.raw('GET', '/install/hypervisor.sh')
  t.equal(status, 200)
  t.match(headers['content-type'], /shellscript/)
  t.match(text, /^#!/)
  t.match(text, /ssh-ed25519 [A-Za-z0-9+/=]{68}/)
  t.notMatch(text, /@PUBLIC_KEY@|PRIVATE KEY/)
  const file = join(t.testdir({}), 'install.sh')
  writeFileSync(file, text)
  t.match(spawnSync('bash', ['-n', file], { encoding: 'utf8' }), { status: 0, stderr: '' })
})

/** A stream of a job's progress; with the id of the last event that was seen, if any. */
async function stream(
  job: string,
  lastEventId?: string,
): Promise<{ response: IncomingMessage; close: () => void }> {
  const sent = request(`${broker.url}/api/v1/jobs/${job}/events`, {
    ca: broker.ca,
    agent: false,
    headers: {
      authorization: `Bearer ${broker.token}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    },
  })
  sent.end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.setEncoding('utf8')
  return {
    response,
    close: () => {
      sent.destroy()
    },
  }
}

t.test('the progress of a job comes as server-sent events, until it has ended', async (t) => {
  broker.host().latencyMs = 300
  const { job } = await broker.admin.post<{ job: string }>('/machines/pc-1/power', {
    action: 'start',
  })
  const { response } = await stream(job)
  t.match(response.headers, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'strict-transport-security': /^max-age=\d+$/,
  })
  const seen: Job[] = []
  for await (const { event, data } of readServerSentEvents(response)) {
    t.equal(event, 'job')
    seen.push(JSON.parse(data) as Job)
  }
  broker.host().latencyMs = 0
  t.ok(seen.length >= 2, `${seen.length} events`)
  t.match(seen.at(-1), { id: job, state: 'succeeded', done: 1, total: 1 })
  t.equal(
    new Set(seen.map((one) => JSON.stringify(one))).size,
    seen.length,
    'no event says what the one before has said',
  )
})

t.test(
  'who comes back with the last event that he has seen hears of it again only when something has changed',
  async (t) => {
    let letGo = (): void => {}
    const held = new Promise<void>((resolve) => {
      letGo = resolve
    })
    const host = broker.host()
    const { link } = host
    if (!link) throw new Error('the host has no line')
    const shutdown = link.shutdownDomain.bind(link)
    link.shutdownDomain = async (name) => {
      await held
      await shutdown(name)
    }
    const { job } = await broker.admin.post<{ job: string }>('/machines/pc-1/power', {
      action: 'shutdown',
      timeoutMs: 20_000,
    })
    await until(
      async () => (await broker.admin.get<Job>(`/jobs/${job}`)).targets[0]?.state === 'running',
      { withinMs: 5_000, everyMs: 10, what: 'the job waits for the host' },
    )
    const first = await stream(job)
    const [chunk] = (await once(first.response, 'data')) as [string]
    first.close()
    const id = /^id: ([\w-]{16})\n/.exec(chunk)?.[1] ?? ''
    t.match(id, /^[\w-]{16}$/)
    const again = await stream(job)
    t.match(
      ((await once(again.response, 'data')) as [string])[0],
      new RegExp(`^id: ${id}\\n`),
      'the same state has the same id',
    )
    again.close()
    const second = await stream(job, id)
    letGo()
    const states: string[] = []
    for await (const { data } of readServerSentEvents(second.response))
      states.push((JSON.parse(data) as Job).targets[0]?.state ?? '')
    t.notOk(states.includes('running'), `told: ${states.join()}`)
    t.equal(states.at(-1), 'done')
    const after = await stream(job, 'what-was-long-ago')
    const told: Job[] = []
    for await (const { data } of readServerSentEvents(after.response))
      told.push(JSON.parse(data) as Job)
    t.match(told, [{ state: 'succeeded' }], 'one that has ended is told once')
  },
)

t.test('a job that is not there is refused before a stream begins', async (t) => {
  const { response } = await stream('nothing')
  response.resume()
  t.equal(response.statusCode, 404)
})
