import { existsSync } from 'node:fs'
import t, { type Test as T } from 'tap'
import { Authority } from '../../../broker/certificates/authority.js'
import type { HypervisorLink } from '../../../broker/hypervisors/hypervisor.js'
import { HelperLine } from '../../hypervisor-scripts/helper-line.js'
import { temporaryDirectory } from '../../support/simulated-broker.js'
import { until } from '../../support/until.js'
import {
  overlay,
  type Row,
  ROWS,
  type Target,
  targetOf,
  toInstall,
  xml,
} from './destructive-rows.js'
import { CERTIFICATE, FOLDER, host, MIB, own } from './destructive-host.js'
import {
  besides,
  foreignFiles,
  putDomain,
  putFiles,
  snapshot,
  taken,
} from './destructive-foreign.js'
import { byHelper, byLibvirt, type Ending, ENDINGS } from './destructive-endings.js'

/*
 * Every operation of docs/reference/destructive-operations.md, to its end, to its failure,
 * cancelled, and with kill -9 in between, each then undone: on what is Berth's, with foreign
 * domains and files of the same names beside it, and on what is not.
 */

t.setTimeout(900_000)

const FOREIGN = 'payroll'

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

/** A connection whose libvirtd has just died looks as if it were up until it is used, so it is used. */
async function untilAnswers(link: HypervisorLink): Promise<void> {
  const answers = async (): Promise<boolean> =>
    await link.listDomains().then(
      () => true,
      () => false,
    )
  await until(answers, { withinMs: 30_000, what: 'libvirt answers on the connection' })
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
  toInstall.certificate = {
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
