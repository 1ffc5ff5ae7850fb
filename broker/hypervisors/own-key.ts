import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { Logger } from 'pino'
import ssh2, { type ParsedKey } from 'ssh2'
import { refusal } from '../errors/broker-error.js'
import { writePrivate } from '../store/private-file.js'

export interface OwnKey {
  /** OpenSSH's own format, unencrypted. */
  readonly privateKey: string
  /** A line of authorized_keys. */
  readonly publicKey: string
}

const TYPE = 'ssh-ed25519'
const COMMENT = 'berth-broker'
/** An Ed25519 key ends both of its DER forms with its 32 bytes (RFC 8410). */
const KEY_BYTES = 32
/** OpenSSH pads to the cipher's block, which is 8 bytes without a cipher. */
const BLOCK = 8
const BASE64_LINE = /.{1,70}/g

export interface OwnKeyDeps {
  readonly log: Logger
  /** Whether a hypervisor may know the present key. */
  readonly isEnrolled: () => Promise<boolean>
}

const NEXT_STEP = 'run the install line again on every hypervisor'

/**
 * The broker's key for its hypervisors: `path` holds the private half (0600), `path.pub` the public
 * one. It is made at the first start and proven at every start: read, and made to sign what the
 * public half verifies. One that fails is replaced while no hypervisor knows it; later that would
 * lock the broker out of every host without a word, so this throws and says what to do. The public
 * half is derived from the private one.
 */
export async function ownKey(path: string, { log, isEnrolled }: OwnKeyDeps): Promise<OwnKey> {
  if (!existsSync(path)) {
    const key = make(path)
    if (await isEnrolled())
      log.warn(
        { path },
        `the key for the hypervisors was not there, so a new one was made: ${NEXT_STEP}`,
      )
    return key
  }
  try {
    const key = proven(readFileSync(path, 'utf8'))
    if (!existsSync(`${path}.pub`) || readFileSync(`${path}.pub`, 'utf8').trim() !== key.publicKey)
      writePrivate(`${path}.pub`, `${key.publicKey}\n`)
    return key
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    if (await isEnrolled())
      throw refusal('own_key_unusable', { path, said: why, next: NEXT_STEP }, { cause: error })
    log.warn(
      { path, why },
      'the key for the hypervisors could not be used and no hypervisor knows it: a new one was made',
    )
    return make(path)
  }
}

function make(path: string): OwnKey {
  const key = proven(newPrivateKey())
  writePrivate(`${path}.pub`, `${key.publicKey}\n`)
  writePrivate(path, key.privateKey)
  return key
}

/**
 * Reads a private key as the connection to a host will, and has it sign something. Throws when it
 * cannot, saying why.
 */
export function proven(privateKey: string): OwnKey {
  const key = read(privateKey)
  if (!key.isPrivateKey()) throw new Error('it holds no private key')
  const publicKey = `${key.type} ${key.getPublicSSH().toString('base64')} ${COMMENT}`
  const challenge = randomBytes(32)
  const signature = key.sign(challenge) as Buffer | Error // ssh2 returns its errors, whatever its types say
  if (signature instanceof Error) throw signature
  if (read(publicKey).verify(challenge, signature) !== true)
    throw new Error('what it signs does not verify')
  return { privateKey, publicKey }
}

function read(text: string): ParsedKey {
  const parsed = ssh2.utils.parseKey(text) as ParsedKey | ParsedKey[] | Error
  if (parsed instanceof Error) throw parsed
  const [key] = [parsed].flat()
  if (!key) throw new Error('it holds no key')
  return key
}

/**
 * A new Ed25519 key in the format openssh-key-v1 (OpenSSH's PROTOCOL.key). ssh2's own generator
 * drops leading zero bytes, which spoils about one key in 256 (mscdex/ssh2#1390), so the halves
 * come from Node: as DER, since the export of a new key as JSON Web Key can spin forever in Node
 * 20.
 */
export function newPrivateKey(halves: { d: Buffer; x: Buffer } = newHalves()): string {
  const publicBlob = Buffer.concat([sized(TYPE), sized(halves.x)])
  const check = randomBytes(4)
  const secret = Buffer.concat([
    check,
    check,
    sized(TYPE),
    sized(halves.x),
    sized(Buffer.concat([halves.d, halves.x])),
    sized(COMMENT),
  ])
  const padding = Buffer.from(
    Array.from({ length: (BLOCK - (secret.length % BLOCK)) % BLOCK }, (_, at) => at + 1),
  )
  const whole = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    sized('none'), // cipher
    sized('none'), // key derivation
    sized(''),
    Buffer.from([0, 0, 0, 1]), // keys in the file
    sized(publicBlob),
    sized(Buffer.concat([secret, padding])),
  ])
  const lines = whole.toString('base64').match(BASE64_LINE) ?? []
  return [
    '-----BEGIN OPENSSH PRIVATE KEY-----',
    ...lines,
    '-----END OPENSSH PRIVATE KEY-----',
    '',
  ].join('\n')
}

function newHalves(): { d: Buffer; x: Buffer } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
    publicKeyEncoding: { type: 'spki', format: 'der' },
  })
  return { d: privateKey.subarray(-KEY_BYTES), x: publicKey.subarray(-KEY_BYTES) }
}

/** A string of SSH (RFC 4251, 5): its length in four bytes, then itself. */
function sized(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
