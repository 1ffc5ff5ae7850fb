import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Authority } from '../../../broker/certificates/authority.js'
import { serverCertificate } from '../../../broker/certificates/server-certificate.js'
import { parseConfig } from '../../../broker/config.js'

const root = mkdtempSync(join(tmpdir(), 'berth-proof-'))
t.teardown(() => rmSync(root, { recursive: true }))
let folders = 0
function folder(): string {
  const path = join(root, String(folders++))
  mkdirSync(path)
  return path
}
const trusted = async (): Promise<boolean> => true
const configOf = (directory: string, more = ''): ReturnType<typeof parseConfig> =>
  parseConfig(`data-dir: ${directory}\npublic-names: [berth.example.test]\n${more}`, 'broker.yaml')

/** What a power cut, a full disk or a wrong restore makes of two files. */
const DAMAGES: Readonly<Record<string, (certificate: string, key: string) => Promise<void>>> = {
  'an empty key': async (_certificate, key) => writeFileSync(key, ''),
  'half a key': async (_certificate, key) =>
    writeFileSync(key, readFileSync(key, 'utf8').slice(0, 90)),
  'an empty certificate': async (certificate) => writeFileSync(certificate, ''),
  'half a certificate': async (certificate) =>
    writeFileSync(certificate, readFileSync(certificate, 'utf8').slice(0, 200)),
  'no key': async (_certificate, key) => rmSync(key),
  'no certificate': async (certificate) => rmSync(certificate),
  'the key of another': async (_certificate, key) => {
    const other = folder()
    const { key: text } = await (await Authority.open(other)).issueServer(['other'])
    writeFileSync(key, text)
  },
}

for (const [damage, spoil] of Object.entries(DAMAGES)) {
  t.test(`a CA with ${damage} is made again while nobody trusts it`, async (t) => {
    const directory = folder()
    const before = await Authority.open(directory)
    await spoil(join(directory, 'ca.pem'), join(directory, 'ca-key.pem'))
    const after = await Authority.open(directory)
    t.not(after.fingerprint, before.fingerprint)
    const { certificate } = await after.issueServer(['berth.example.test'])
    t.ok(new X509Certificate(certificate).verify(new X509Certificate(after.certificate).publicKey))
    t.equal((await Authority.open(directory, trusted)).fingerprint, after.fingerprint, 'it stays')
  })

  t.test(
    `a CA with ${damage} that is trusted is left alone, and the message says what to do`,
    async (t) => {
      const directory = folder()
      await Authority.open(directory)
      await spoil(join(directory, 'ca.pem'), join(directory, 'ca-key.pem'))
      await t.rejects(Authority.open(directory, trusted), {
        message: /cannot be used .*restore ca\.pem and ca-key\.pem from a backup/,
      })
    },
  )

  t.test(`a server certificate with ${damage} is made again`, async (t) => {
    const directory = folder()
    const authority = await Authority.open(directory)
    const config = configOf(directory)
    await serverCertificate(config, authority)
    await spoil(join(directory, 'server.pem'), join(directory, 'server-key.pem'))
    const { cert, key } = await serverCertificate(config, authority)
    const leaf = new X509Certificate(cert)
    t.ok(leaf.verify(new X509Certificate(authority.certificate).publicKey))
    t.equal(leaf.checkHost('berth.example.test'), 'berth.example.test')
    t.equal((await serverCertificate(config, authority)).key, key, 'it stays')
  })
}

t.test('a certificate of the site that cannot be used is named at start', async (t) => {
  const directory = folder()
  const authority = await Authority.open(directory)
  const [certificate, key] = [join(directory, 'site.pem'), join(directory, 'site-key.pem')]
  const config = configOf(directory, `tls-certificate: ${certificate}\ntls-key: ${key}\n`)
  const [first, second] = [await authority.issueServer(['a']), await authority.issueServer(['b'])]
  writeFileSync(certificate, first.certificate)
  for (const wrong of [second.key, '', 'no key']) {
    writeFileSync(key, wrong)
    await t.rejects(serverCertificate(config, authority), {
      message: /tls-certificate .*site\.pem and tls-key .*cannot be used together/,
    })
  }
  writeFileSync(key, first.key)
  t.equal((await serverCertificate(config, authority)).cert, first.certificate)
})
