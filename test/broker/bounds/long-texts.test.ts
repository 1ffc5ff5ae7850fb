import t from 'tap'
import { readDocuments } from '../../../broker/pools/document-reading.js'
import { ClientsReading } from '../../../broker/thin-clients/clients-reading.js'
import { parseTree } from '../../../broker/xml/tree.js'

// Everybody who may send a text may send one that its parser finds hardest. Others are served meanwhile.
const LONGEST_PAUSE_MS = 200
const MIB = 1_048_576
const DOMAIN_BYTES = 262_144
const DOCUMENT_BYTES = 65_536

/**
 * How long the thread was kept at most while this was done, in ms; the time that this process had
 * to wait for the machine does not count.
 */
async function longestPause(work: () => Promise<unknown>): Promise<number> {
  const used = (): number => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1_000
  }
  let [longest, wall, cpu, over] = [0, performance.now(), used(), false]
  const look = (): void => {
    const [now, usedNow] = [performance.now(), used()]
    longest = Math.max(longest, Math.min(now - wall, usedNow - cpu))
    wall = now
    cpu = usedNow
  }
  const again = (): void => {
    look()
    if (!over) setImmediate(again)
  }
  setImmediate(again)
  await work()
  over = true
  look()
  return longest
}

const repeated = (unit: string, bytes: number): string =>
  unit.repeat(Math.floor((bytes - 100) / unit.length))
const client = '<client mac="52:54:00:00:00:01"><protocol>LOGIN</protocol></client>'

const CLIENTS: ReadonlyArray<readonly [what: string, text: string, fault: RegExp | null]> = [
  ['a good file', repeated(client, 900_000), null],
  [
    'a comment in an element',
    `${repeated(client, 900_000)}${client.replace('<p', '<!-- </client> --><p')}`,
    null,
  ],
  ['other elements', '<a/>'.repeat(100_000), /one by one/],
  ['one other element', `<a/>${repeated(client, 900_000)}`, /one by one/],
  ['references', repeated('&amp;', MIB), /one by one/],
  ['elements without anything', '<client><x/></client>'.repeat(38_000), /offers nothing/],
  [
    'one element with very many attributes',
    `<client ${Array.from({ length: 39_000 }, (_, index) => `a${index}="x"`).join(' ')}></client>`,
    /one by one/,
  ],
  ['comments that do not end', repeated('<!-- ', 500_000), /./],
  ['an element full of comments', `<client>${'<!-- -->'.repeat(90_000)}`, /./],
  ['an end that is missing', `${repeated(client, 900_000)}<client>`, /./],
  ['spaces', `<client ${repeated(' ', MIB)}`, /./],
]

t.test('clients.xml', async (t) => {
  for (const [what, inner, expected] of CLIENTS) {
    const text = `<thin-clients>${inner}</thin-clients>`
    t.ok(text.length <= MIB, what)
    const reading = new ClientsReading()
    let fault: string | undefined
    const pauseMs = await longestPause(async () => {
      const options = { machineExists: () => true, horizonServer: '' }
      const { faults } = await reading.read(text, options)
      fault = faults.find(({ severity }) => severity === 'error')?.message
    })
    if (expected === null) t.equal(fault, undefined, what)
    else t.match(fault, expected, what)
    t.ok(pauseMs < LONGEST_PAUSE_MS, `${what}: ${pauseMs.toFixed(0)} ms in one go`)
  }
})

t.test('what stands where the elements cannot be told from each other is named', async (t) => {
  const text = `<thin-clients>\n${`${client}\n`.repeat(12_000)}  <a/>\n</thin-clients>`
  const { faults } = await new ClientsReading().read(text, {
    machineExists: () => true,
    horizonServer: '',
  })
  t.match(faults, [{ line: 12_002, column: 3, message: /one by one/ }])
})

t.test('pools as documents', async (t) => {
  for (const unit of [',', '[', '{', '"', '1,', '- ', '? ', "'"]) {
    const text = `a: [${repeated(unit, DOCUMENT_BYTES)}`
    const pauseMs = await longestPause(async () => {
      await t.rejects(readDocuments(text), { code: 'invalid_request', message: /more than/ }, unit)
    })
    t.ok(pauseMs < LONGEST_PAUSE_MS, `${unit}: ${pauseMs.toFixed(0)} ms in one go`)
  }
})

t.test('the XML of a domain', async (t) => {
  for (const inner of ['<a/>', '<a b="1"/>', '&amp;']) {
    const text = `<domain>${repeated(inner, DOMAIN_BYTES)}</domain>`
    const pauseMs = await longestPause(async () => {
      t.match(parseTree(text), { fault: { message: /more than/ } }, inner)
    })
    t.ok(pauseMs < LONGEST_PAUSE_MS, `${inner}: ${pauseMs.toFixed(0)} ms in one go`)
  }
  t.match(parseTree(`<domain>${'<a/>'.repeat(9_000)}</domain>`), { root: { name: 'domain' } })
})
