import { createHash } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { type Test } from 'tap'
import { type FleetHost } from '../fleet/fleet-host.js'
import { until } from '../support/until.js'
import { type HelperLine } from './helper-line.js'
import { doomed, openHelper, owner } from './prepared-host.js'

const folder = '/var/lib/berth/images'
type Frame = { offset: number; data: Buffer }

const sha256Of = (data: Buffer) => createHash('sha256').update(data).digest('hex')

/** Carrying images between hosts. Expects base.qcow2 in the images directory. */
export async function streamTests(t: Test, host: FleetHost): Promise<void> {
  await openHelper(host).then((line) => line.end())
  await t.test('sends data and leaves holes out', (t) => sends(t, host))
  await t.test('receives, and knows what is there already', (t) => receives(t, host))
  await t.test('goes on where a cut connection ended', (t) => resumes(t, host))
  await t.test('refuses damage, nonsense and a full disk', (t) => refusals(t, host))
}

function framesOf(raw: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at < raw.length;) {
    const length = raw.readUInt32BE(at + 8)
    frames.push({
      offset: Number(raw.readBigUInt64BE(at)),
      data: raw.subarray(at + 12, at + 12 + length),
    })
    at += 12 + length
  }
  return frames
}

function frame(offset: number, data: Buffer): Buffer {
  const header = Buffer.alloc(12)
  header.writeBigUInt64BE(BigInt(offset))
  header.writeUInt32BE(data.length, 8)
  return Buffer.concat([header, data])
}

async function fetchFrames(host: FleetHost, name: string, offset: number): Promise<Frame[]> {
  const line = await openHelper(host, null)
  const ended = once(line.child.stdout, 'end')
  line.send('file_send', { dir: 'images', name, offset })
  await ended
  return framesOf(Buffer.concat(line.raw ?? []))
}

async function sends(t: Test, host: FleetHost): Promise<void> {
  const content = Buffer.alloc(8 << 20)
  content.fill('begin', 0, 1 << 20)
  content.fill('end', 6 << 20, 7 << 20)
  writeFileSync(host.path('/var/tmp/dense'), content)
  await host.mustRun(['cp', '--sparse=always', '/var/tmp/dense', `${folder}/sparse.qcow2`])
  const frames = await fetchFrames(host, 'sparse.qcow2', 0)
  const copy = Buffer.alloc(8 << 20)
  for (const { offset, data } of frames) data.copy(copy, offset)
  t.ok(copy.equals(content))
  t.ok(frames.reduce((sum, { data }) => sum + data.length, 0) < 3 << 20, 'holes are not sent')
  t.match(frames.at(-1), { offset: 8 << 20, data: { length: 0 } })
  const rest = await fetchFrames(host, 'sparse.qcow2', (6 << 20) + 5)
  t.equal(rest[0]?.offset, (6 << 20) + 5)
  t.same(await fetchFrames(host, 'sparse.qcow2', 8 << 20), [
    { offset: 8 << 20, data: Buffer.alloc(0) },
  ])
  const line = await openHelper(host, null)
  t.equal(
    await line.refusal('file_send', { dir: 'images', name: 'none.qcow2', offset: 0 }),
    'not_found',
  )
  const other = await openHelper(host, null)
  t.equal(
    await other.refusal('file_send', { dir: 'images', name: 'sparse.qcow2', offset: 9 << 20 }),
    'bad_request',
  )
}

type Receiving = { line: HelperLine; id: string; result: { offset: number; done?: boolean } }

async function receive(
  host: FleetHost,
  name: string,
  size: number,
  sha256: string,
): Promise<Receiving> {
  const line = await openHelper(host, null)
  const id = line.send('file_receive', { name, size, sha256, owner })
  const answer = await line.answer(id)
  return { line, id, result: answer.result as Receiving['result'] }
}

/** The second answer to the same request: how the stream ended. */
function end({ line, id }: Receiving) {
  const answers = () => line.messages.filter((one) => one['id'] === id && one['ok'] !== undefined)
  return until(() => answers()[1], { withinMs: 10_000, everyMs: 10, what: 'the stream ends' })
}

async function receives(t: Test, host: FleetHost): Promise<void> {
  const content = readFileSync(host.path('/var/tmp/dense'))
  const sha256 = sha256Of(content)
  const receiving = await receive(host, 'got.qcow2', content.length, sha256)
  t.same(receiving.result, { offset: 0 })
  for (const { offset, data } of await fetchFrames(host, 'sparse.qcow2', 0))
    receiving.line.write(frame(offset, data))
  t.match(await end(receiving), { ok: true, result: { sha256 } })
  t.ok(readFileSync(host.path(`${folder}/got.qcow2`)).equals(content))
  t.equal(await host.mustRun(['stat', '-c', '%a', `${folder}/got.qcow2`]), '440\n')
  t.ok(statSync(host.path(`${folder}/got.qcow2`)).blocks * 512 < 4 << 20, 'holes stay holes')
  t.same((await receive(host, 'got.qcow2', content.length, sha256)).result, {
    offset: content.length,
    done: true,
  })
  const line = await openHelper(host, null)
  t.equal(
    await line.refusal('file_receive', {
      name: 'got.qcow2',
      size: 5,
      sha256: sha256Of(Buffer.from('other')),
      owner,
    }),
    'exists',
  )
}

async function resumes(t: Test, host: FleetHost): Promise<void> {
  const content = Buffer.alloc(150 << 20, 'berth')
  const sha256 = sha256Of(content)
  const piece = 4 << 20
  const part = host.path(`${folder}/.berth-parts/cut.qcow2`)
  const push = (to: Receiving, from: number, until: number) => {
    for (let at = from; at < until; at += piece)
      to.line.write(frame(at, content.subarray(at, Math.min(until, at + piece))))
  }
  const first = await receive(host, 'cut.qcow2', content.length, sha256)
  push(first, 0, 100 << 20)
  await until(() => statSync(part).size >= 96 << 20, {
    withinMs: 10_000,
    what: 'most of it is written',
  })
  await first.line.kill()
  const second = await receive(host, 'cut.qcow2', content.length, sha256)
  t.equal(second.result.offset, 64 << 20, 'what was synced before kill -9 counts')
  push(second, 64 << 20, 120 << 20)
  await second.line.end()
  t.ok(existsSync(part))
  const third = await receive(host, 'cut.qcow2', content.length, sha256)
  t.equal(third.result.offset, 120 << 20, 'after an orderly end everything counts')
  push(third, 120 << 20, content.length)
  third.line.write(frame(content.length, Buffer.alloc(0)))
  t.match(await end(third), { ok: true, result: { sha256 } })
  t.notOk(existsSync(part))
}

async function refusals(t: Test, host: FleetHost): Promise<void> {
  const data = Buffer.from('hello')
  const damaged = await receive(host, 'bad.qcow2', 5, sha256Of(data))
  damaged.line.write(Buffer.concat([frame(0, Buffer.from('hullo')), frame(5, Buffer.alloc(0))]))
  t.match(await end(damaged), { ok: false, error: { code: 'bad_image' } })
  const senseless = [
    frame(3, data),
    frame(4, Buffer.alloc(0)),
    Buffer.concat([frame(2, data.subarray(2)), frame(0, data)]),
  ]
  for (const frames of senseless) {
    const receiving = await receive(host, 'bad.qcow2', 5, sha256Of(data))
    receiving.line.write(frames)
    t.match(await end(receiving), { ok: false, error: { code: 'bad_request' } })
  }
  t.notOk(existsSync(host.path(`${folder}/.berth-parts/bad.qcow2`)))
  const undo = await host.limitDisk('/var/lib/berth/small', 4 << 20)
  const small = '/var/lib/berth/small/i'
  await (
    await openHelper(host, {
      images: small,
      overlays: '/var/lib/berth/overlays',
      transient: '/var/lib/berth/transient',
    })
  ).end()
  const full = await receive(host, 'full.qcow2', 10 << 20, sha256Of(data))
  full.line.write(frame(0, Buffer.alloc(8 << 20, 1)))
  t.match(await end(full), { ok: false, error: { code: 'no_space' } })
  t.notOk(existsSync(host.path(`${small}/.berth-parts/full.qcow2`)))
  await undo()
  const line = await openHelper(host)
  t.match(
    await line.must('image_remove', {
      dir: 'images',
      items: doomed('sparse.qcow2', 'got.qcow2', 'cut.qcow2'),
    }),
    { items: [{ ok: false, error: { code: 'foreign' } }, { ok: true }, { ok: true }] },
    'what was put there by hand stays',
  )
  await host.mustRun(['rm', `${folder}/sparse.qcow2`])
  await line.end()
}
