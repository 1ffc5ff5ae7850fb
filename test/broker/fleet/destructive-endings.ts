import { type Answer, HelperLine } from '../../hypervisor-scripts/helper-line.js'
import { helperPath, openHelper, roomy } from '../../hypervisor-scripts/prepared-host.js'
import { randomMoment } from '../../support/random-moment.js'
import { until } from '../../support/until.js'
import { CERTIFICATE, FOLDER, host, open, own } from './destructive-host.js'
import { received, type Row, ROWS, type Target } from './destructive-rows.js'

export const ENDINGS = ['done', 'failed', 'cancelled', 'killed'] as const
export type Ending = (typeof ENDINGS)[number]

/** A helper that cannot write more than 8 KiB into any file: what it makes fails half-way. */
async function openPoorHelper(): Promise<HelperLine> {
  const line = new HelperLine(host.spawnInside(['prlimit', '--fsize=8192', helperPath]))
  await line.must('configure', roomy)
  return line
}

/** Something is left to be done for an operation that would find its work done already. */
const TO_DO: Readonly<Record<string, (target: Target) => string>> = {
  parts_remove: () => `echo left > ${FOLDER}/images/.berth-parts/left.qcow2`,
  files_adopt: ({ file }) =>
    `python3 -c "import os; os.removexattr('${FOLDER}/overlays/${file}', 'trusted.berth')"`,
  spice_certificate_install: () => `rm ${CERTIFICATE}`,
}

/** Runs an operation with what it needs out of order, and puts that in order again. */
async function broken(name: string, target: Target, ask: () => Promise<string>): Promise<string> {
  const fails = ROWS[name]?.fails
  if (fails === undefined) return await ask()
  if (fails === 'libvirtd') {
    await host.kill('libvirtd')
    const code = await ask()
    await libvirtdAgain()
    return code
  }
  const path = fails(target)
  const todo = target.isOurs ? TO_DO[name]?.(target) : undefined
  if (todo !== undefined) await host.mustRun(['bash', '-ec', todo])
  await host.mustRun(['chattr', '+i', '--', path])
  try {
    return await ask()
  } finally {
    await host.mustRun(['chattr', '-i', '--', path])
    if (todo !== undefined) await own.line.ask(name, ROWS[name]?.args?.(target) ?? {})
  }
}

async function libvirtdAgain(): Promise<void> {
  await host.restart('libvirtd')
  await until(async () => (await host.run(['virsh', 'list'])).code === 0, {
    withinMs: 30_000,
    what: 'libvirtd answers again',
  })
}

/**
 * Asks for one operation by a helper of its own and brings it to the wanted end; gives the answer's
 * code, or how it ended.
 */
export async function byHelper(
  name: string,
  args: object,
  target: Target,
  ending: Ending,
): Promise<string> {
  const isStream = name === 'file_receive'
  const isPoor = ending === 'failed' && ROWS[name]?.fails === undefined
  const line = isPoor ? await openPoorHelper() : await openHelper(host, isStream ? null : roomy)
  if (isStream && ending === 'failed') await line.end()
  const mine = isStream && ending === 'failed' ? await openHelper(host, null) : line
  const ask = async (): Promise<string> => await asked(mine, name, args, target, ending)
  return ending === 'failed' ? await broken(name, target, ask) : await ask()
}

async function asked(
  mine: HelperLine,
  name: string,
  args: object,
  target: Target,
  ending: Ending,
): Promise<string> {
  const isStream = name === 'file_receive'
  const id = mine.send(name, args, { operation: `${name}:${target.name}:${ending}` })
  if (isStream && target.isOurs) await stream(mine, ending)
  if (ending === 'cancelled' && !isStream) mine.send('cancel', { request: id })
  if (ending === 'killed') {
    await randomMoment(60) // each run tries others
    await mine.kill()
    return 'killed'
  }
  await mine.answer(id)
  await mine.end()
  // A stream has two: where it begins, and how it ended.
  const { ok, error, result } = mine.messages.filter((one) => one['id'] === id).at(-1) as Answer
  if (!ok) return error.code
  const items = (result as { items?: Array<{ error?: { code: string } }> }).items ?? []
  return items[0]?.error?.code ?? 'done'
}

/**
 * The bytes of a file in two frames; one that is to fail has other bytes, one that is to end early
 * lacks the second.
 */
async function stream(line: HelperLine, ending: Ending): Promise<void> {
  const half = received.length / 2
  const frame = (offset: number, data: Buffer): Buffer => {
    const header = Buffer.alloc(12)
    header.writeBigUInt64BE(BigInt(offset))
    header.writeUInt32BE(data.length, 8)
    return Buffer.concat([header, data])
  }
  line.write(frame(0, received.subarray(0, half)))
  if (ending === 'cancelled') line.child.stdin.end()
  if (ending === 'cancelled' || ending === 'killed') return
  line.write(frame(half, ending === 'failed' ? Buffer.alloc(half, 'x') : received.subarray(half)))
  line.write(frame(received.length, Buffer.alloc(0)))
}

/** libvirt's own calls know no cancel: the connection is cut instead. A failure, and a kill, is that of libvirtd. */
export async function byLibvirt(
  act: NonNullable<Row['libvirt']>,
  target: Target,
  ending: Ending,
): Promise<string> {
  const { link, reconnect, close } = open()
  await link.untilUp(30_000)
  if (ending === 'failed') await host.kill('libvirtd')
  const answer = act(link, target).then(
    () => 'done',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  )
  if (ending === 'killed') {
    await randomMoment(20)
    await host.kill('libvirtd')
  }
  if (ending === 'cancelled') reconnect()
  const code = await answer
  await close()
  if (ending === 'failed' || ending === 'killed') await libvirtdAgain()
  return code
}
