import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import t, { type Test as T } from 'tap'
import { Authority } from '../../../broker/certificates/authority.js'
import { domainXml } from '../../../broker/hypervisors/domain-xml.js'
import type { DomainId, HypervisorLink } from '../../../broker/hypervisors/hypervisor.js'
import { type Answer, HelperLine } from '../../hypervisor-scripts/helper-line.js'
import { helperPath, openHelper, roomy, uuidOf } from '../../hypervisor-scripts/prepared-host.js'
import { lineToHost } from '../../support/line-to-host.js'
import { temporaryDirectory } from '../../support/simulated-broker.js'
import { randomMoment } from '../../support/random-moment.js'
import { until } from '../../support/until.js'

/*
 * Every operation of docs/reference/destructive-operations.md, to its end, to its failure,
 * cancelled, and with kill -9 in between, each then undone: on what is Berth's, with foreign
 * domains and files of the same names beside it, and on what is not.
 */

t.setTimeout(900_000)
const { host, open, stop } = await lineToHost('ends')
t.teardown(stop)

const FOLDER = '/var/lib/berth'
const CERTIFICATE = '/etc/pki/libvirt-spice/server-cert.pem'
const MIB = 1_048_576
const ENDINGS = ['done', 'failed', 'cancelled', 'killed'] as const
type Ending = (typeof ENDINGS)[number]

/**
 * What an operation is asked about: a machine of Berth's, or one whose name a foreign domain and
 * foreign files have.
 */
interface Target extends DomainId {
  readonly file: string
  readonly isOurs: boolean
}
const targetOf = (name: string, isOurs: boolean): Target => ({
  name,
  uuid: uuidOf(isOurs ? name : `ours of ${name}`),
  file: `${name}.qcow2`,
  isOurs,
})

const ask = ({ name, uuid }: Target): object => ({ domain: name, uuid })
const known = ({ name, uuid }: Target): object => ({ name, uuid })
const overlay = ({ file, uuid: owner }: Target): object => ({
  items: [{ name: file, base: 'base.qcow2', fresh: true, owner }],
})
const received = Buffer.alloc(3 * MIB, 'received')

interface Row {
  /** What it needs of Berth's own, made before. */
  readonly needs?: 'domain' | 'running' | 'paused' | 'overlay' | 'image' | 'layer' | 'certificate'
  /** Where the file lies that it makes or removes; foreign ones have its name everywhere else. */
  readonly dir?: 'images' | 'overlays'
  readonly args?: (target: Target) => object
  /**
   * What makes it fail where it writes nothing into a file: libvirtd is killed, or what it would
   * change cannot be changed. Else there is no room.
   */
  readonly fails?: 'libvirtd' | ((target: Target) => string)
  /** Of libvirt itself. */
  readonly libvirt?: (link: HypervisorLink, target: Target) => Promise<void>
}

export const ROWS: Readonly<Record<string, Row>> = {
  define: { libvirt: async (link, target) => await link.defineDomain(xml(target)) },
  start: { needs: 'domain', libvirt: async (link, target) => await link.startDomain(target) },
  shutdown: {
    needs: 'running',
    libvirt: async (link, target) => await link.shutdownDomain(target),
  },
  destroy: { needs: 'running', libvirt: async (link, target) => await link.destroyDomain(target) },
  resume: { needs: 'paused', libvirt: async (link, target) => await link.resumeDomain(target) },
  domain_reboot: { fails: 'libvirtd', needs: 'running', args: known },
  domain_reset: { fails: 'libvirtd', needs: 'running', args: known },
  domain_undefine: { fails: 'libvirtd', needs: 'domain', args: known },
  domain_metadata: {
    fails: 'libvirtd',
    needs: 'domain',
    args: (target) => ({ ...known(target), xml: '<berth/>' }),
  },
  guest_agent: {
    fails: 'libvirtd',
    needs: 'running',
    args: (target) => ({ ...ask(target), command: 'guest-shutdown', timeout_seconds: 1 }),
  },
  ticket: {
    fails: 'libvirtd',
    needs: 'running',
    args: (target) => ({
      ...ask(target),
      password: 'p'.repeat(24),
      ttl_seconds: 5,
      connected: 'disconnect',
    }),
  },
  disconnect: { fails: 'libvirtd', needs: 'running', args: ask },
  transient_clear: {
    fails: 'libvirtd',
    needs: 'layer',
    dir: 'overlays',
    args: (target) => ({ ...ask(target), name: target.file }),
  },
  image_create: {
    dir: 'images',
    args: ({ file, uuid }) => ({ name: file, size_bytes: MIB, owner: uuid }),
  },
  image_copy: {
    dir: 'images',
    args: ({ file, uuid }) => ({
      source: { dir: 'images', name: 'large.qcow2' },
      name: file,
      owner: uuid,
    }),
  },
  image_import: {
    needs: 'image',
    dir: 'images',
    args: ({ file, uuid }) => ({
      path: `${FOLDER}/import/good.qcow2`,
      name: file,
      owner: uuid,
      replace: true,
    }),
  },
  file_receive: {
    dir: 'images',
    args: ({ file, uuid }) => ({
      name: file,
      size: received.length,
      sha256: createHash('sha256').update(received).digest('hex'),
      owner: uuid,
    }),
  },
  overlay_create: { needs: 'overlay', dir: 'overlays', args: overlay },
  image_remove: {
    fails: ({ file }) => `${FOLDER}/overlays/${file}`,
    needs: 'overlay',
    dir: 'overlays',
    args: ({ file, uuid: owner }) => ({ dir: 'overlays', items: [{ name: file, owner }] }),
  },
  parts_remove: {
    fails: () => `${FOLDER}/images/.berth-parts`,
    dir: 'images',
    args: () => ({ keep: [] }),
  },
  files_adopt: {
    fails: ({ file }) => `${FOLDER}/overlays/${file}`,
    needs: 'overlay',
    dir: 'overlays',
    args: ({ file, uuid: owner }) => ({
      items: [{ dir: 'overlays', name: file, owner, bases: ['base.qcow2'], sha256: null }],
    }),
  },
  spice_certificate_request: {
    fails: () => dirname(CERTIFICATE),
    needs: 'certificate',
    args: () => ({ common_name: host.name }),
  },
  spice_certificate_install: {
    fails: () => dirname(CERTIFICATE),
    needs: 'certificate',
    args: () => certificate,
  },
}
let certificate: object = {}

function xml({ name, uuid }: Target): string {
  return domainXml({
    name,
    uuid,
    virtType: 'qemu',
    memoryMib: 64,
    vcpus: 1,
    firmware: 'bios',
    network: 'none',
    mac: '52:54:00:c0:ff:ee',
    serial: name,
    disk: `${FOLDER}/images/disk-of-${name}.qcow2`,
    transient: false,
    destroyOnReboot: false,
    listen: '127.0.0.1',
    metadata: {},
    template: null,
  })
}

/** Everything of others: where it lies and what is in it. */
const foreignFiles: string[] = []
const foreignDomains: string[] = []

/** Byte for byte, with inode, owner, mode and time; the domains with their state and the number of the running QEMU. */
async function snapshot(): Promise<string> {
  const script = [
    'for name in $DOMAINS; do virsh dumpxml --inactive --security-info "$name"; virsh ' +
      'domstate "$name"; cat "/run/libvirt/qemu/$name.pid"; done',
    'xargs -a /root/foreign-files sha256sum --',
    "xargs -a /root/foreign-files stat -c '%n %i %s %a %U %Y' --",
  ].join('\n')
  return await host.mustRun(['env', `DOMAINS=${foreignDomains.join(' ')}`, 'bash', '-ec', script])
}

const FOREIGN = 'payroll'
/**
 * As the files of Berth beside which they lie, in every place but that one; and under the names
 * that what it makes has meanwhile.
 */
function besides({ name, file }: Target, { dir }: Row): string[] {
  return [
    // An overlay has its link among the layers.
    ...['images', 'overlays', 'transient']
      .filter((one) => one !== dir && !(dir === 'overlays' && one === 'transient'))
      .map((one) => `${one}/${file}`),
    ...['images', 'overlays'].flatMap((one) => [`${one}/${file}.part`, `${one}/${file}.bak`]),
    `images/${file}.TRANSIENT-${name}`,
  ]
}
const taken = ({ name, file }: Target): string[] => [
  ...['images', 'overlays', 'transient'].map((one) => `${one}/${file}`),
  `transient/${file}.TRANSIENT-${name}`,
  `images/${file}.part`,
]

async function putFiles(names: readonly string[]): Promise<void> {
  const paths = names.map((name) => `${FOLDER}/${name}`)
  const script = 'while read -r path; do printf "not of Berth: %s\\n" "$path" > "$path"; done'
  await host.mustRun(['bash', '-ec', script], { input: `${paths.join('\n')}\n` })
  foreignFiles.push(...paths)
  await host.mustRun(['tee', '/root/foreign-files'], { input: `${foreignFiles.join('\n')}\n` })
}

/** A running domain that is not Berth's. */
async function putDomain(link: HypervisorLink, name: string): Promise<void> {
  const foreign = { ...targetOf(name, true), uuid: uuidOf(`foreign ${name}`) }
  const disk = `${FOLDER}/images/disk-of-${name}.qcow2`
  await host.mustRun(['qemu-img', 'create', '-q', '-f', 'qcow2', disk, '1M'])
  await link.defineDomain(xml(foreign))
  await link.startDomain(foreign)
  foreignDomains.push(name)
}

/** Berth's own things of which an operation is asked. */
async function prepare(line: HelperLine, link: HypervisorLink, row: Row, target: Target) {
  const { needs } = row
  const { name, uuid, file } = target
  if (!target.isOurs) return
  if (['domain', 'running', 'paused', 'layer'].includes(needs ?? '') || row.libvirt) {
    const disk = { name: `disk-of-${file}`, size_bytes: MIB, owner: uuid }
    await line.must('image_create', disk, { operation: `disk:${name}` })
    if (needs) await link.defineDomain(xml(target))
  }
  if (needs === 'running' || needs === 'paused') await link.startDomain(target)
  if (needs === 'paused') await host.mustRun(['virsh', 'suspend', name])
  if (needs === 'image')
    await line.must(
      'image_create',
      { name: file, size_bytes: MIB, owner: uuid },
      { operation: `before:${name}` },
    )
  if (needs === 'overlay' || needs === 'layer') await line.must('overlay_create', overlay(target))
  if (needs === 'layer')
    await host.mustRun([
      ...['qemu-img', 'create', '-q', '-f', 'qcow2', '-F', 'qcow2'],
      ...['-b', `${FOLDER}/overlays/${file}`, `${FOLDER}/transient/${file}.TRANSIENT-${name}`],
    ])
}

/**
 * What a broker does that takes back what it did: it names the domain by UUID and each file by what
 * it was made for.
 */
async function undo(line: HelperLine, link: HypervisorLink, { name, uuid, file }: Target) {
  // A line that was just lost is asked again; any other refusal: it is off, or another one's.
  const isOver = async (): Promise<boolean> =>
    await link.destroyDomain({ name, uuid }).then(
      () => true,
      (error: unknown) => (error as { code?: string }).code !== 'hypervisor_unreachable',
    )
  await until(isOver, { withinMs: 30_000, what: `${name} is off` })
  await line.ask('domain_undefine', { name, uuid })
  for (const [dir, doomed] of [
    ['overlays', file],
    ['images', file],
    ['images', `disk-of-${file}`],
  ])
    await line.must('image_remove', { dir, items: [{ name: doomed, owner: uuid }] })
  await line.must('parts_remove', { keep: [] })
}

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

/** A connection whose libvirtd has just died looks as if it were up until it is used, so it is used. */
async function untilAnswers(link: HypervisorLink): Promise<void> {
  const answers = async (): Promise<boolean> =>
    await link.listDomains().then(
      () => true,
      () => false,
    )
  await until(answers, { withinMs: 30_000, what: 'libvirt answers on the connection' })
}

/**
 * Asks for one operation by a helper of its own and brings it to the wanted end; gives the answer's
 * code, or how it ended.
 */
async function byHelper(
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

/** libvirt's own calls know no cancel: the line is broken instead. A failure, and a kill, is that of libvirtd. */
async function byLibvirt(
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

/** Nothing of the target is left: neither a domain nor a file that is marked as made for it. */
async function remains(link: HypervisorLink, { uuid, file, isOurs }: Target): Promise<string[]> {
  const domains = (await link.listDomains()).map((domain) => domain.uuid)
  const places = ['images', 'overlays'].map((dir) => `${FOLDER}/${dir}/${file}`)
  return [
    ...domains.filter((one) => one === uuid),
    ...places.filter(
      (path) => isOurs && !foreignFiles.includes(path) && existsSync(host.path(path)),
    ),
  ]
}

/** What need not be refused, since it is about no name. */
const NAMELESS = ['parts_remove', 'spice_certificate_request', 'spice_certificate_install']

/** Walks these operations; what is of others stays as it is from the beginning to the end. */
export function walkOperations(names: readonly string[]): void {
  t.test('what is of others is put there', async () => {
    await putForeign(names)
  })
  for (const name of names) {
    t.test(`${name}: of Berth's own, foreign things of that name beside it`, async (t) => {
      await walk(t, name, true)
    })
    t.test(`${name}: asked about what is not Berth's`, async (t) => {
      await walk(t, name, false)
    })
  }
  t.test('the end', async () => {
    await own.line.end()
    await own.close()
  })
}

const own = { ...open(), line: await openHelper(host) }
let before = ''

async function walk(t: T, name: string, isOurs: boolean): Promise<void> {
  const row = ROWS[name]
  if (!row) throw new Error(name)
  const { line, link } = own
  for (const ending of ENDINGS) {
    const target = isOurs ? ownTarget(name, ending) : targetOf(FOREIGN, false)
    await untilAnswers(link)
    await prepare(line, link, row, target)
    const code: string = row.libvirt
      ? await byLibvirt(row.libvirt, target, ending)
      : await byHelper(name, row.args?.(target) ?? {}, target, ending)
    if (ending === 'failed' && isOurs) t.not(code, 'done', `${name} has failed`)
    t.comment(`${name} ${ending}: ${code}`)
    if (ending === 'done' && isOurs && name !== 'guest_agent') t.equal(code, 'done', name)
    if (ending === 'done' && !isOurs && !NAMELESS.includes(name) && name !== 'domain_undefine')
      t.equal(code, 'foreign', name)
    t.equal(await snapshot(), before, `${name} ${ending} (${code})`)
    await untilAnswers(link)
    await undo(line, link, target)
    if (ending === 'killed') await undo(line, link, target)
    t.equal(await snapshot(), before, `${name} ${ending}, and undone`)
    t.same(await remains(link, target), [], 'nothing of it is left')
  }
}

const ownTarget = (name: string, ending: Ending): Target =>
  targetOf(`${name.replaceAll('_', '-')}-${ending}`, true)

async function putForeign(names: readonly string[]): Promise<void> {
  const { line, link } = own
  await link.untilUp(30_000)
  await line.must('image_create', { name: 'base.qcow2', size_bytes: MIB, owner: 'base' })
  await host.mustRun([
    'bash',
    '-ec',
    `head -c 60M /dev/urandom > /var/tmp/raw
    qemu-img convert -O qcow2 -f raw /var/tmp/raw ${FOLDER}/images/large.qcow2
    qemu-img create -q -f qcow2 ${FOLDER}/import/good.qcow2 1M`,
  ])
  const { csr } = await line.must('spice_certificate_request', { common_name: host.name })
  const authority = await Authority.open(temporaryDirectory())
  certificate = {
    certificate: await authority.signSpice(String(csr), host.name, [host.address]),
    ca: authority.certificate,
  }
  await putDomain(link, FOREIGN)
  await putDomain(link, 'accounts')
  await host.mustRun(['cp', '--', CERTIFICATE, `${CERTIFICATE}.site`])
  foreignFiles.push(`${CERTIFICATE}.site`)
  await putFiles([
    ...taken(targetOf(FOREIGN, false)),
    ...names.flatMap((name) =>
      ENDINGS.flatMap((ending) => besides(ownTarget(name, ending), ROWS[name] ?? {})),
    ),
  ])
  before = await snapshot()
}
