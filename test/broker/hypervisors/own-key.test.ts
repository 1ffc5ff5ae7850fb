import { createPrivateKey, createPublicKey } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import ssh2 from 'ssh2'
import t from 'tap'
import { newPrivateKey, ownKey, proven } from '../../../broker/hypervisors/own-key.js'
import { mustRun } from '../../fleet/command.js'

/** RFC 8410: an Ed25519 private key from its 32 bytes. */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')

function halvesOf(d: Buffer): { d: Buffer; x: Buffer } {
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_HEAD, d]),
    format: 'der',
    type: 'pkcs8',
  })
  return { d, x: createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(-32) }
}

/** The first key whose public half begins with a zero byte: the kind that ssh2's generator spoils. */
function withLeadingZero(): { d: Buffer; x: Buffer } {
  for (let number = 0; ; number++) {
    const halves = halvesOf(Buffer.alloc(32, `${number}`.padStart(8, '0')))
    if (halves.x[0] === 0) return halves
  }
}

const directory = mkdtempSync(join(tmpdir(), 'berth-own-key-'))
t.teardown(() => rmSync(directory, { recursive: true }))
const log = pino({ level: 'silent' })
const unknown = { log, isEnrolled: async () => false }
const enrolled = { log, isEnrolled: async () => true }

t.test('a key of any bytes can be read and signs, for ssh2 and for OpenSSH', async (t) => {
  const kinds = [
    withLeadingZero(),
    halvesOf(Buffer.concat([Buffer.alloc(2), Buffer.alloc(30, 7)])),
    halvesOf(Buffer.alloc(32, 0xff)),
  ]
  for (const [at, halves] of kinds.entries()) {
    const text = newPrivateKey(halves)
    const path = join(directory, `kind-${at}`)
    writeFileSync(path, text, { mode: 0o600 })
    const derived = (await mustRun(['ssh-keygen', '-y', '-f', path])).trim().split(' ')
    t.same(derived.slice(0, 2), proven(text).publicKey.split(' ').slice(0, 2))
    t.equal(
      derived[1],
      Buffer.concat([
        Buffer.from('0000000b', 'hex'),
        Buffer.from('ssh-ed25519'),
        Buffer.from('00000020', 'hex'),
        halves.x,
      ]).toString('base64'),
    )
  }
})

t.test('a thousand new keys are all good', async (t) => {
  const bad = Array.from({ length: 1_000 }, newPrivateKey).filter((text) => {
    const parsed = ssh2.utils.parseKey(text)
    return parsed instanceof Error || proven(text).publicKey === ''
  })
  t.equal(bad.length, 0)
})

t.test('it is made once, privately, and stays', async (t) => {
  const path = join(directory, 'first')
  const made = await ownKey(path, unknown)
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.same(await ownKey(path, enrolled), made)
  rmSync(`${path}.pub`)
  t.same(await ownKey(path, enrolled), made, 'the public half is derived')
  t.equal(readFileSync(`${path}.pub`, 'utf8').trim(), made.publicKey)
  writeFileSync(`${path}.pub`, 'ssh-ed25519 AAAA other\n')
  t.same(await ownKey(path, enrolled), made, 'a public half of another key is replaced')
  t.equal(readFileSync(`${path}.pub`, 'utf8').trim(), made.publicKey)
})

/** As ssh2's generator writes one whose public half begins with a zero byte. */
function spoilt(): string {
  const { d, x } = withLeadingZero()
  return newPrivateKey({ d, x: x.subarray(1) })
}

const UNUSABLE: Readonly<Record<string, string>> = {
  'one byte short': spoilt(),
  empty: '',
  'cut off': newPrivateKey().slice(0, 200),
  'not a key': 'hello\n',
  'a public key': proven(newPrivateKey()).publicKey,
}

for (const [kind, text] of Object.entries(UNUSABLE)) {
  t.test(`a key that is ${kind} is replaced while no hypervisor knows it`, async (t) => {
    const path = join(directory, kind.replaceAll(' ', '-'))
    writeFileSync(path, text, { mode: 0o600 })
    const made = await ownKey(path, unknown)
    t.equal(proven(made.privateKey).publicKey, made.publicKey)
    t.equal(readFileSync(path, 'utf8'), made.privateKey)
  })
  t.test(
    `a key that is ${kind} is kept where a hypervisor may know it, and the message says what to do`,
    async (t) => {
      const path = join(directory, `known-${kind.replaceAll(' ', '-')}`)
      writeFileSync(path, text, { mode: 0o600 })
      await t.rejects(ownKey(path, enrolled), { message: /restore it from a backup.*install line/ })
      t.equal(readFileSync(path, 'utf8'), text)
      t.notOk(existsSync(`${path}.pub`))
    },
  )
}

t.test('one that is gone is replaced, and the log says what to do', async (t) => {
  const said: string[] = []
  const path = join(directory, 'gone')
  const listening = pino({}, { write: (line: string) => void said.push(line) })
  await ownKey(path, { log: listening, isEnrolled: async () => true })
  t.match(said.join(''), /install line again on every hypervisor/)
})
