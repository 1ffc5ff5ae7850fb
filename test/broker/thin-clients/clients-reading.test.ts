import fc from 'fast-check'
import t from 'tap'
import { ClientsReading } from '../../../broker/thin-clients/clients-reading.js'
import { parseClientsXml } from '../../../broker/thin-clients/clients-xml.js'

const options = {
  machineExists: (name: string) => /^pc-[0-4]$/.test(name),
  horizonServer: 'horizon.example.org',
}
const whole = (text: string) => parseClientsXml(text, options.machineExists, options)

/** Pieces of a file, good ones and such as people and attackers write. */
const PIECES = [
  '<client mac="52:54:00:00:00:01"><protocol>SPICE</protocol><machine-name>pc-1</machine-name></client>',
  '<client mac="52:54:00:00:00:02">\n  <protocol>RDP</protocol>\n  ' +
    '<machine-rdp-address>ts</machine-rdp-address>\n</client>',
  '<client ip="10.0.0.1"><protocol>SPICE</protocol><machine-name>gone</machine-name>' +
    '<target><protocol>LOGIN</protocol></target></client>',
  '<client cidr="10.0.0.0/8"><protocol>SPICE</protocol><machine-name>pc-2</machine-name><viewer audio="no"/></client>',
  '<client hostname="a&lt;b"><protocol>SPICE</protocol><machine-name>pc-2</machine-name></client>',
  '<client hostname="desk"/>',
  '<client><protocol>SPICE</protocol><machine-name>pc-3</machine-name></client>',
  '<client mac="zz"><protocol>telnet</protocol></client>',
  '<client mac="52:54:00:00:00:03"><!-- </client> --><protocol>LOGIN</protocol></client>',
  '<client mac="52:54:00:00:00:04"><protocol><![CDATA[LOGIN]]></protocol></client>',
  '<client mac=">"><protocol>LOGIN</protocol></client>',
  '<client mac="></client>',
  '<client mac="52:54:00:00:00:05"><client ip="10.0.0.2"></client></client>',
  '<default><protocol>LOGIN</protocol><desktop-pool>lab</desktop-pool></default>',
  '<default><protocol>SPICE</protocol><machine-name>pc-9</machine-name></default>',
  '<clients/>',
  '<!-- a note -->',
  '<!-- <client> -- -->',
  '<!DOCTYPE x>',
  'text',
  '\n\n',
  '</thin-clients>',
  '<client ',
] as const
const GOOD = PIECES.slice(0, 7)

t.test('a file that is read in parts gives what it gives as a whole', async (t) => {
  const text = fc
    .tuple(
      fc.constantFrom('', '<?xml version="1.0"?>\n', '\uFEFF', '<!-- head -->\n', ' '),
      fc.array(
        fc.oneof(
          { weight: 12, arbitrary: fc.constantFrom(...GOOD) },
          { weight: 1, arbitrary: fc.constantFrom(...PIECES) },
        ),
        { maxLength: 30 },
      ),
      fc.constantFrom('', '\n', '<!-- end -->', ' x', '<x/>'),
    )
    .map(([head, pieces, end]) => `${head}<thin-clients>${pieces.join('\n')}</thin-clients>${end}`)
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 3 }), async (texts) => {
      const reading = new ClientsReading()
      for (const one of [...texts, ...texts])
        t.same(await reading.read(one, options), whole(one), one)
    }),
    { numRuns: 300 },
  )
})

t.test('of a large file only what has changed is parsed', async (t) => {
  const client = (number: number, machine: string): string => {
    const [, high = '', low = ''] = /(..)(..)/.exec(String(number).padStart(4, '0')) ?? []
    const target = `<protocol>SPICE</protocol><machine-name>${machine}</machine-name>`
    return `<client mac="52:54:00:00:${high}:${low}">${target}</client>`
  }
  const file = (changed: number): string => {
    const clients = Array.from({ length: 5_000 }, (_, number) =>
      client(number, number === changed ? 'pc-2' : 'pc-1'),
    )
    return `<thin-clients>${clients.join('\n')}</thin-clients>`
  }
  const reading = new ClientsReading()
  t.equal((await reading.read(file(-1), options)).file?.clients.length, 5_000)
  t.equal(reading.parsed, 5_000)
  const changed = await reading.read(file(4_321), options)
  t.same(changed.file?.clients[4_321]?.targets, [{ protocol: 'spice', machine: 'pc-2' }])
  t.equal(reading.parsed, 5_001)
})

t.test(
  'others have their turn while a large file is read, whatever is wrong with it',
  async (t) => {
    const file = (inner: string): string =>
      `<thin-clients>${`${inner}\n`.repeat(5_000)}</thin-clients>`
    for (const inner of [PIECES[0], PIECES[2], PIECES[7]]) {
      const reading = new ClientsReading()
      let turns = 0
      let over = false
      const count = (): void => {
        turns += 1
        if (!over) setImmediate(count)
      }
      setImmediate(count)
      const { faults } = await reading.read(file(inner), options)
      over = true
      t.ok(turns > 5, `${turns} turns`)
      t.equal(faults.length, 1_001, 'and the last one says how many there are besides')
      t.match(faults.at(-1)?.message, /^[1-9]\d{3} more faults/)
    }
  },
)
