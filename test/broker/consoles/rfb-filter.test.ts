import fc from 'fast-check'
import t from 'tap'
import { RfbFilter, type RfbRules } from '../../../broker/consoles/rfb-filter.js'

const ALL: RfbRules = { viewOnly: false, clipboard: true }
const WATCHING: RfbRules = { viewOnly: true, clipboard: true }
const NO_CLIPBOARD: RfbRules = { viewOnly: false, clipboard: false }
const GREETING = Buffer.concat([Buffer.from('RFB 003.008\n'), Buffer.from([1, 0])])
const GREETED = Buffer.concat([Buffer.from('RFB 003.008\n'), Buffer.from([1, 1])])
const CLIPBOARD = 0xc0a1e5ce | 0

const bytes = (
  type: number,
  length: number,
  fill: (message: Buffer) => void = () => {},
): Buffer => {
  const message = Buffer.alloc(length, 0x11)
  message.writeUInt8(type, 0)
  fill(message)
  return message
}
const encodings = (...list: number[]): Buffer =>
  bytes(2, 4 + 4 * list.length, (message) => {
    message.writeUInt8(0, 1)
    message.writeUInt16BE(list.length, 2)
    list.forEach((encoding, index) => {
      message.writeInt32BE(encoding, 4 + 4 * index)
    })
  })
const text = (length: number, extended = false): Buffer =>
  bytes(6, 8 + length, (message) => {
    message.writeInt32BE(extended ? -length : length, 4)
  })
const qemu = (...head: number[]): Buffer =>
  bytes(255, head[0] === 0 ? 12 : head[2] === 2 ? 10 : 4, (message) => {
    Buffer.from(head).copy(message, 1)
  })
const screens = (count: number): Buffer =>
  bytes(251, 8 + 16 * count, (message) => {
    message.writeUInt8(count, 6)
  })
const fence = (length: number): Buffer =>
  bytes(248, 9 + length, (message) => {
    message.writeUInt8(length, 8)
  })

function run(rules: RfbRules, pieces: readonly Buffer[]): { out: Buffer; fault: string | null } {
  const filter = new RfbFilter(rules)
  const all = pieces.map((piece) => filter.push(piece))
  return { out: Buffer.concat(all.map(({ out }) => out)), fault: all.at(-1)?.fault ?? null }
}
const after = (rules: RfbRules, ...messages: Buffer[]): { out: Buffer; fault: string | null } => {
  const { out, fault } = run(rules, [GREETING, ...messages])
  return { out: out.subarray(GREETED.length), fault }
}

/** Name, message, and whether it goes on: for everybody, for who only looks, and without clipboard. */
const TABLE: ReadonlyArray<readonly [string, Buffer, boolean, boolean, boolean]> = [
  ['SetPixelFormat', bytes(0, 20), true, true, true],
  ['FramebufferUpdateRequest', bytes(3, 10), true, true, true],
  ['KeyEvent', bytes(4, 8), true, false, true],
  ['PointerEvent', bytes(5, 6), true, false, true],
  ['ClientCutText', text(5), true, false, false],
  ['ClientCutText of nothing', text(0), true, false, false],
  ['ClientCutText of the extended clipboard', text(40, true), true, false, false],
  ['EnableContinuousUpdates', bytes(150, 10), true, true, true],
  ['ClientFence', fence(12), true, true, true],
  ['xvp', bytes(250, 4), false, false, false],
  ['SetDesktopSize', screens(2), true, false, true],
  ['QEMU extended key', qemu(0), true, false, true],
  ['QEMU sound on', qemu(1, 0, 0), true, false, true],
  ['QEMU sound format', qemu(1, 0, 2), true, false, true],
]

t.test('each message goes on or not, and the next one is understood', async (t) => {
  const next = bytes(3, 10)
  for (const [name, message, ...passes] of TABLE) {
    for (const [index, rules] of [ALL, WATCHING, NO_CLIPBOARD].entries()) {
      const { out, fault } = after(rules, message, next)
      t.equal(fault, null, name)
      t.ok(
        out.equals(passes[index] ? Buffer.concat([message, next]) : next),
        `${name} ${JSON.stringify(rules)}`,
      )
    }
  }
})

t.test('a viewer is always shared, and is not promised what it may not have', async (t) => {
  t.ok(run(ALL, [GREETING]).out.equals(GREETED))
  const withPassword = Buffer.concat([
    Buffer.from('RFB 003.008\n'),
    Buffer.from([2]),
    Buffer.alloc(16, 7),
    Buffer.from([0]),
  ])
  t.equal(run(ALL, [withPassword]).out.at(-1), 1)
  const asked = encodings(7, -309, 0, CLIPBOARD, -316, -258)
  t.ok(after(ALL, asked).out.equals(encodings(7, 0, CLIPBOARD, -258)))
  t.ok(after(NO_CLIPBOARD, asked).out.equals(encodings(7, 0, -258)))
  t.ok(after(WATCHING, asked).out.equals(encodings(7, 0, -258)))
})

t.test('what is no RFB ends it, with what was good before', async (t) => {
  const faults: ReadonlyArray<readonly [RegExp, ...Buffer[]]> = [
    [/unknown type 7\b/, bytes(7, 1)],
    [/unknown type 1\b/, bytes(1, 1)],
    [
      /more than 1048576 bytes of text/,
      bytes(6, 8, (message) => {
        message.writeInt32BE(1_048_577, 4)
      }),
    ],
    [
      /bytes of text/,
      bytes(6, 8, (message) => {
        message.writeInt32BE(-2_147_483_648, 4)
      }),
    ],
    [
      /more than 512 encodings/,
      bytes(2, 4, (message) => {
        message.writeUInt16BE(513, 2)
      }),
    ],
    [
      /more than 16 screens/,
      bytes(251, 8, (message) => {
        message.writeUInt8(17, 6)
      }),
    ],
    [/more than 64 bytes of a fence/, fence(65)],
    [/unknown kind 2/, qemu(2, 0, 0)],
    [/sound of the unknown kind 3/, qemu(1, 0, 3)],
  ]
  for (const [wanted, ...messages] of faults) {
    const { out, fault } = after(ALL, bytes(4, 8), ...messages, bytes(4, 8))
    t.match(fault, wanted)
    t.ok(out.equals(bytes(4, 8)), 'nothing after it goes on')
  }
  t.match(run(ALL, [Buffer.from('RFB 003.003\n')]).fault, /another version than RFB 3.8/)
  t.match(run(ALL, [Buffer.from('GET / HTTP/1.')]).fault, /another version/)
  t.match(run(ALL, [Buffer.from('RFB 003.008\n'), Buffer.from([19])]).fault, /security type 19/)
})

/** Any cut of the bytes. */
const cut = (all: Buffer, places: readonly number[]): Buffer[] => {
  const at = [...new Set(places.map((place) => place % (all.length + 1)))].sort((a, b) => a - b)
  return [0, ...at].map((from, index) => all.subarray(from, at[index] ?? all.length))
}
const message = fc.oneof(
  fc.constantFrom(...TABLE.map(([, one]) => one)),
  fc
    .array(fc.integer({ min: -400, max: 400 }), { maxLength: 30 })
    .map((list) => encodings(...list, CLIPBOARD)),
  fc.tuple(fc.nat(3_000), fc.boolean()).map(([length, extended]) => text(length, extended)),
)
const rules = fc.record({ viewOnly: fc.boolean(), clipboard: fc.boolean() })

t.test('however the bytes are cut, the same comes out', async (t) => {
  const stream = fc.oneof(
    fc.array(message, { maxLength: 20 }).map((all) => Buffer.concat([GREETING, ...all])),
    fc.uint8Array({ maxLength: 300 }).map((noise) => Buffer.concat([GREETING, noise])),
    fc.uint8Array({ maxLength: 60 }).map((noise) => Buffer.from(noise)),
  )
  fc.assert(
    fc.property(rules, stream, fc.array(fc.nat(), { maxLength: 40 }), (given, all, places) => {
      const whole = run(given, [all])
      const pieces = run(given, cut(all, places))
      const single = run(
        given,
        [...all].map((one) => Buffer.from([one])),
      )
      return (
        whole.fault === pieces.fault &&
        whole.fault === single.fault &&
        whole.out.equals(pieces.out) &&
        whole.out.equals(single.out)
      )
    }),
    { numRuns: 600 },
  )
  t.pass('600 streams')
})

t.test('nothing that a viewer who only looks can send is input when it arrives', async (t) => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 30 }), (all) => {
      const { out, fault } = after(WATCHING, ...all)
      const types: number[] = []
      for (let at = 0; at < out.length;) {
        const type = out.readUInt8(at)
        types.push(type)
        at +=
          type === 0
            ? 20
            : type === 2
              ? 4 + 4 * out.readUInt16BE(at + 2)
              : type === 248
                ? 9 + out.readUInt8(at + 8)
                : 10
      }
      return fault === null && types.every((type) => [0, 2, 3, 150, 248].includes(type))
    }),
  )
  t.pass('only wishes for pictures')
})
