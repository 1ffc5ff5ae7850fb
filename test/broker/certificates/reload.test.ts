import { X509Certificate } from 'node:crypto'
import { createServer } from 'node:https'
import { writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { pino } from 'pino'
import t from 'tap'
import { pinOf } from '../../../broker/api/server-identity.js'
import { Authority } from '../../../broker/certificates/authority.js'
import { ServerTls } from '../../../broker/certificates/server-tls.js'
import { parseConfig } from '../../../broker/config.js'
import { authority, type Certified, serverFor } from '../../support/certificate-chains.js'
import { SimulatedBroker } from '../../support/simulated-broker.js'
import { connectPinned } from '../../../thin-client/pinned-connection.js'

async function shownAt(port: number): Promise<string> {
  return await new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      const certificate = new X509Certificate(socket.getPeerCertificate(true).raw)
      socket.destroy()
      resolve(pinOf(certificate))
    }).once('error', reject)
  })
}
const pin = ({ pem }: Certified): string => pinOf(new X509Certificate(pem))

t.test(
  'a certificate of the site’s own is renewed without a restart; a bad one is not taken',
  async (t) => {
    const directory = t.testdir()
    const files = { certificate: join(directory, 'fullchain.pem'), key: join(directory, 'key.pem') }
    const root = await authority('root')
    const [one, two] = [await authority('one', { by: root }), await authority('two', { by: root })]
    const write = (leaf: Certified, between: Certified, key = leaf.key): void => {
      writeFileSync(files.certificate, leaf.pem + between.pem + root.pem)
      writeFileSync(files.key, key)
    }
    const [first, second, third] = [
      await serverFor(['localhost'], { by: one }),
      await serverFor(['localhost'], { by: two }),
      await serverFor(['localhost'], { by: two }),
    ]
    write(first, one)
    const lines: string[] = []
    const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
    const config = {
      ...parseConfig('', 'test'),
      tls: files,
      publicNames: ['localhost', 'vdi.example'],
    }
    const tls = await ServerTls.open(config, await Authority.open(directory), log)
    t.equal(tls.fingerprint, pin(root))
    t.match(lines.join(), /not for these public-names/)
    const server = createServer(tls.keys)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.teardown(() => server.close())
    const { port } = server.address() as AddressInfo
    t.equal(await shownAt(port), pin(first))
    t.equal(await tls.look(server), false, 'nothing has changed')
    write(second, two, first.key)
    t.equal(await tls.look(server), false, 'half a renewal')
    t.equal(await shownAt(port), pin(first))
    write(second, two)
    t.equal(await tls.look(server), true)
    t.equal(await shownAt(port), pin(second))
    t.equal(tls.fingerprint, pin(root), 'what clients pin stays')
    writeFileSync(files.certificate, '')
    t.equal(await tls.look(server), false)
    t.equal(await shownAt(port), pin(second))
    write(third, two)
    t.equal(await tls.look(server), true)
    t.notMatch(lines.join(), 'PRIVATE KEY')
  },
)

t.test(
  'a thin client reaches a broker with a chain of three by what the log line says',
  async (t) => {
    const directory = t.testdir()
    const root = await authority('root')
    const between = await authority('between', { by: root })
    const leaf = await serverFor(['localhost', '127.0.0.1'], { by: between })
    const tls = { certificate: join(directory, 'chain.pem'), key: join(directory, 'key.pem') }
    writeFileSync(tls.certificate, leaf.pem + between.pem + root.pem)
    writeFileSync(tls.key, leaf.key)
    const broker = await SimulatedBroker.start({ hosts: 0, config: { tls }, ca: root.pem })
    t.teardown(async () => {
      await broker.remove()
    })
    t.equal(broker.broker.caFingerprint, pin(root))
    const socket = await connectPinned(
      { host: '127.0.0.1', port: broker.broker.port },
      { trusted: () => [broker.broker.caFingerprint], trust: () => undefined },
    )
    t.ok(socket.writable)
    socket.destroy()
  },
)
