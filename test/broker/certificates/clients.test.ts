import { X509Certificate } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { pinOf, type Trust } from '../../../broker/api/server-identity.js'
import { chainOf } from '../../../broker/certificates/chain.js'
import { openPinned } from '../../../cli/pinned-connection.js'
import { connectPinned } from '../../../thin-client/pinned-connection.js'
import { authority, type Certified, serverFor } from '../../support/certificate-chains.js'

const NAMES = ['localhost', '127.0.0.1']
const EXPIRED = new Date('2021-01-01')

async function serve(t: Test, leaf: Certified, chain: readonly Certified[]): Promise<number> {
  const server: Server = createServer({
    key: leaf.key,
    cert: [leaf, ...chain].map(({ pem }) => pem).join(''),
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** What both clients say: 'trusted', or a word of the reason. One answer stands for both, which must agree. */
async function verdict(t: Test, port: number, trust: Trust, host = 'localhost'): Promise<string> {
  const [cli, device] = await Promise.all([
    openPinned({ host, port }, trust).then(
      (socket) => socket.destroy() && 'trusted',
      (error: Error) => kindOf(error),
    ),
    connectPinned({ host, port }, { trusted: () => trust, trust: () => undefined }).then(
      (socket) => socket.destroy() && 'trusted',
      (error: Error) => kindOf(error),
    ),
  ])
  t.equal(cli, device, 'the command line and the thin client agree')
  return cli
}

function kindOf({ message }: Error): string {
  const kinds: ReadonlyArray<readonly [RegExp, string]> = [
    [/pinned is|another CA/, 'other CA'],
    [/not signed|did not sign/, 'not signed'],
    [/not for this name/, 'wrong name'],
    [/does not trust/, 'not trusted'],
  ]
  return kinds.find(([pattern]) => pattern.test(message))?.[1] ?? message
}

const pin = ({ pem }: Certified): string => pinOf(new X509Certificate(pem))

t.test('every shape of a chain, over the life of its certificates', async (t) => {
  const root = await authority('company root')
  const first = await authority('issuing 1', { by: root })
  const second = await authority('issuing 2', { by: root })
  const deep = await authority('issuing 1.1', { by: first })
  const shapes: ReadonlyArray<readonly [string, Certified, readonly Certified[]]> = [
    ['one CA', root, [root]],
    ['one between, root included', first, [first, root]],
    ['two between, root included', deep, [deep, first, root]],
    ['one between, root left out', first, [first]],
    ['two between, root left out', deep, [deep, first]],
  ]
  for (const [shape, by, chain] of shapes)
    await t.test(shape, async (t) => {
      const end = [root, first].find((one) => chain.includes(one)) ?? by
      const enrolled = await serve(t, await serverFor(NAMES, { by }), chain)
      t.equal(await verdict(t, enrolled, null), 'trusted', 'shown to a person')
      for (const one of chain)
        t.equal(await verdict(t, enrolled, [pin(one)]), 'trusted', `pinned: ${one.name}`)
      const renewed = await serve(t, await serverFor(NAMES, { by }), chain)
      t.equal(await verdict(t, renewed, [pin(end)]), 'trusted', 'renewed by the same CA')
      const expired = await serve(t, await serverFor(NAMES, { by, notAfter: EXPIRED }), chain)
      t.equal(await verdict(t, expired, [pin(end)]), 'trusted', 'a pin does not look at dates')
      const other = await serve(t, await serverFor(['other.example'], { by }), chain)
      t.equal(await verdict(t, other, [pin(end)]), 'wrong name')
      const thief = await authority(by.name)
      const forged = await serve(t, await serverFor(NAMES, { by, forgedBy: thief }), chain)
      t.not(await verdict(t, forged, [pin(end)]), 'trusted', 'signed by somebody else')
    })
  const change = await serve(t, await serverFor(NAMES, { by: second }), [second, root])
  t.equal(await verdict(t, change, [pin(root)]), 'trusted', 'another certificate between')
  t.equal(await verdict(t, change, [pin(first)]), 'other CA', 'which is why the root is pinned')
  const next = await authority('next root')
  const moved = await serve(t, await serverFor(NAMES, { by: next }), [next])
  t.equal(await verdict(t, moved, [pin(root)]), 'other CA', 'another root')
  t.equal(await verdict(t, moved, [pin(root), pin(next)]), 'trusted', 'both are pinned meanwhile')
  const crossed = await authority('issuing 2', { by: next })
  const cross = await serve(t, await serverFor(NAMES, { by: second }), [second, root, crossed])
  t.equal(await verdict(t, cross, [pin(root)]), 'trusted')
})

t.test('what is no CA signs nothing; a self-signed certificate is its own', async (t) => {
  const root = await authority('root')
  const leaf = await serverFor(['else.example'], { by: root })
  const port = await serve(t, await serverFor(NAMES, { by: leaf }), [leaf, root])
  t.not(await verdict(t, port, [pin(root)]), 'trusted')
  const own = await serverFor(NAMES)
  const selfSigned = await serve(t, own, [])
  t.equal(await verdict(t, selfSigned, [pin(own)]), 'trusted')
  t.equal(await verdict(t, selfSigned, [pin(root)]), 'other CA')
  t.equal(await verdict(t, selfSigned, [pin(own)], '127.0.0.1'), 'trusted', 'an address')
})

t.test('what the system trusts, where the site says so: name and dates count', async (t) => {
  const root = await authority('public root')
  const [first, second] = [await authority('R1', { by: root }), await authority('R2', { by: root })]
  const bundle = join(t.testdir(), 'bundle.pem')
  writeFileSync(bundle, root.pem)
  process.env.SSL_CERT_FILE = bundle
  t.teardown(() => {
    delete process.env.SSL_CERT_FILE
  })
  for (const between of [first, second]) {
    const leaf = await serverFor(NAMES, { by: between })
    t.equal(await verdict(t, await serve(t, leaf, [between]), 'system'), 'trusted')
    t.equal(await verdict(t, await serve(t, leaf, [between, root]), 'system'), 'trusted')
    t.equal(await verdict(t, await serve(t, leaf, []), 'system'), 'not trusted', 'one is missing')
  }
  const expired = await serverFor(NAMES, { by: first, notAfter: EXPIRED })
  t.equal(await verdict(t, await serve(t, expired, [first]), 'system'), 'not trusted')
  const other = await serverFor(['other.example'], { by: first })
  t.equal(await verdict(t, await serve(t, other, [first]), 'system'), 'wrong name')
  const unknown = await authority('unknown')
  const strange = await serverFor(NAMES, { by: unknown })
  t.equal(await verdict(t, await serve(t, strange, [unknown]), 'system'), 'not trusted')
  t.equal(await verdict(t, await serve(t, await serverFor(NAMES), []), 'system'), 'not trusted')
})

t.test('the broker puts a chain in order and completes it by what is known', async (t) => {
  const root = await authority('root')
  const between = await authority('between', { by: root })
  const leaf = await serverFor(NAMES, { by: between })
  const whole = chainOf(leaf.pem + root.pem + between.pem, [])
  t.match(whole, { complete: true, fingerprint: pin(root) })
  const pems = [leaf, between, root].map(({ pem }) => new X509Certificate(pem).toString())
  t.equal(whole.pem, pems.join(''))
  t.match(chainOf(leaf.pem + between.pem, [root.pem]), { complete: true, pem: whole.pem })
  t.match(chainOf(leaf.pem + between.pem, []), { complete: false, fingerprint: pin(between) })
  t.throws(() => chainOf('nothing'), /no certificate/)
})
