/** What the broker lets a viewer do. viewOnly: they only look. clipboard: text may go to the guest. */
export interface RfbRules {
  readonly viewOnly: boolean
  readonly clipboard: boolean
}
/** `out` goes on to the display. `fault`: why the viewer is cut after that, for the reader; null: it is not. */
export interface Filtered {
  readonly out: Buffer
  readonly fault: string | null
}

/**
 * The messages of a client (RFC 6143, 7.5, and https://github.com/rfbproto/rfbproto). `head`: its
 * fixed part, or how long it is when that depends on what came so far; null: more is needed to
 * tell. `body`: how much follows, which is passed through without being kept. `input`: what a
 * viewer who only looks may not send.
 */
interface Message {
  readonly name: string
  readonly head: number | ((so: Buffer) => number | null)
  readonly body?: (head: Buffer) => number
  readonly input?: true
}

const LONGEST_TEXT_BYTES = 1 << 20
const MOST_ENCODINGS = 512
const MOST_SCREENS = 16
const MOST_FENCE_BYTES = 64
const SET_ENCODINGS = 2
const CUT_TEXT = 6
const XVP = 250
/** Power off, reboot and reset are permissions of their own, and never a viewer's. */
const XVP_ENCODING = -309
/** Its longer pointer messages look like the short ones of a tenth button. */
const MORE_BUTTONS_ENCODING = -316
const EXTENDED_CLIPBOARD_ENCODING = 0xc0a1e5ce | 0

const MESSAGES: Readonly<Record<number, Message>> = {
  0: { name: 'SetPixelFormat', head: 20 },
  [SET_ENCODINGS]: {
    name: 'SetEncodings',
    head: (so) =>
      so.length < 4 ? null : 4 + 4 * bounded('encodings', so.readUInt16BE(2), MOST_ENCODINGS),
  },
  3: { name: 'FramebufferUpdateRequest', head: 10 },
  4: { name: 'KeyEvent', head: 8, input: true },
  5: { name: 'PointerEvent', head: 6, input: true },
  // A negative length is that of the extended clipboard.
  [CUT_TEXT]: {
    name: 'ClientCutText',
    head: 8,
    body: (head) => bounded('bytes of text', Math.abs(head.readInt32BE(4)), LONGEST_TEXT_BYTES),
    input: true,
  },
  150: { name: 'EnableContinuousUpdates', head: 10 },
  248: {
    name: 'ClientFence',
    head: (so) =>
      so.length < 9 ? null : 9 + bounded('bytes of a fence', so.readUInt8(8), MOST_FENCE_BYTES),
  },
  [XVP]: { name: 'xvp', head: 4 },
  251: {
    name: 'SetDesktopSize',
    head: (so) =>
      so.length < 7 ? null : 8 + 16 * bounded('screens', so.readUInt8(6), MOST_SCREENS),
    input: true,
  },
  255: { name: 'QEMU', head: qemuHead, input: true },
}

/** QEMU's extended keys (0) and sound (1: on, off, format). */
function qemuHead(so: Buffer): number | null {
  if (so.length < 2) return null
  const kind = so.readUInt8(1)
  if (kind === 0) return 12
  if (kind !== 1) throw new RfbFault(`a message of QEMU's of the unknown kind ${kind}`)
  if (so.length < 4) return null
  const operation = so.readUInt16BE(2)
  if (operation > 2) throw new RfbFault(`a wish for sound of the unknown kind ${operation}`)
  return operation === 2 ? 10 : 4
}

class RfbFault extends Error {}

function bounded(what: string, value: number, most: number): number {
  if (value > most) throw new RfbFault(`more than ${most} ${what}`)
  return value
}

/** The parts of the handshake, as RFB 3.8 has them; their lengths. */
const HANDSHAKE = { version: 12, security: 1, response: 16, init: 1 } as const
/** A password is asked for by one of the security types only. */
const PART_AFTER = {
  version: 'security',
  security: 'init',
  response: 'init',
  init: 'messages',
} as const
const VERSION = 'RFB 003.008\n'
const SECURITY_NONE = 1
const SECURITY_VNC = 2

/**
 * Reads what a viewer sends to a display, in pieces of whatever size, and gives what may go on.
 * What the rules forbid is left out; what is no RFB, or is unknown, ends it. Keeps no more than one
 * message's head. Pure: what comes out depends on all bytes so far, and not on how they were cut.
 */
export class RfbFilter {
  #part: keyof typeof HANDSHAKE | 'messages' = 'version'
  #held = Buffer.alloc(0)
  #body = { bytes: 0, passes: false }
  #fault: string | null = null

  constructor(readonly rules: RfbRules) {}

  push(piece: Buffer): Filtered {
    if (this.#fault !== null) return { out: Buffer.alloc(0), fault: this.#fault }
    const out: Buffer[] = []
    let rest: Buffer = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece])
    try {
      for (
        let taken = this.#take(rest, out);
        taken > 0 && rest.length > 0;
        taken = this.#take(rest, out)
      )
        rest = rest.subarray(taken)
    } catch (error) {
      if (!(error instanceof RfbFault)) throw error
      this.#fault = `The viewer sent ${error.message}.`
    }
    this.#held = Buffer.from(rest)
    return { out: Buffer.concat(out), fault: this.#fault }
  }

  /** Gives how much of `rest` is done with; 0: more is needed. */
  #take(rest: Buffer, out: Buffer[]): number {
    if (rest.length === 0) return 0
    if (this.#body.bytes > 0) {
      const bytes = Math.min(rest.length, this.#body.bytes)
      this.#body.bytes -= bytes
      if (this.#body.passes) out.push(rest.subarray(0, bytes))
      return bytes
    }
    return this.#part === 'messages'
      ? this.#message(rest, out)
      : this.#greeting(this.#part, rest, out)
  }

  #greeting(part: keyof typeof HANDSHAKE, rest: Buffer, out: Buffer[]): number {
    const bytes = HANDSHAKE[part]
    if (rest.length < bytes) return 0
    const said = rest.subarray(0, bytes)
    if (part === 'version' && said.toString('latin1') !== VERSION)
      throw new RfbFault('another version than RFB 3.8')
    if (part === 'security' && said[0] !== SECURITY_NONE && said[0] !== SECURITY_VNC)
      throw new RfbFault(`the security type ${said[0] ?? 0}, which the broker does not carry`)
    // Shared: without it QEMU cuts everybody else who looks.
    out.push(part === 'init' ? Buffer.from([1]) : said)
    this.#part = part === 'security' && said[0] === SECURITY_VNC ? 'response' : PART_AFTER[part]
    return bytes
  }

  #message(rest: Buffer, out: Buffer[]): number {
    const type = rest.readUInt8(0)
    const message = MESSAGES[type]
    if (!message) throw new RfbFault(`a message of the unknown type ${type}`)
    const bytes = typeof message.head === 'number' ? message.head : message.head(rest)
    if (bytes === null || rest.length < bytes) return 0
    const head = rest.subarray(0, bytes)
    this.#body = { bytes: message.body?.(head) ?? 0, passes: this.#passes(type, message) }
    if (this.#body.passes) out.push(type === SET_ENCODINGS ? this.#encodings(head) : head)
    return bytes
  }

  #passes(type: number, { input }: Message): boolean {
    if (type === XVP || (type === CUT_TEXT && !this.rules.clipboard)) return false
    return !(input && this.rules.viewOnly)
  }

  /** The same list without what the display must not believe of this viewer. */
  #encodings(head: Buffer): Buffer {
    const { viewOnly, clipboard } = this.rules
    const forbidden = [
      XVP_ENCODING,
      MORE_BUTTONS_ENCODING,
      ...(viewOnly || !clipboard ? [EXTENDED_CLIPBOARD_ENCODING] : []),
    ]
    const kept = Array.from({ length: (head.length - 4) / 4 }, (_, index) =>
      head.readInt32BE(4 + 4 * index),
    ).filter((encoding) => !forbidden.includes(encoding))
    const list = Buffer.alloc(4 + 4 * kept.length)
    list.writeUInt8(SET_ENCODINGS, 0)
    list.writeUInt16BE(kept.length, 2)
    kept.forEach((encoding, index) => {
      list.writeInt32BE(encoding, 4 + 4 * index)
    })
    return list
  }
}
