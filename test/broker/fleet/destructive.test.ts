import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test as T } from 'tap'
import { domainXml } from '../../../broker/hypervisors/domain-xml.js'
import type { DomainId, HypervisorLink } from '../../../broker/hypervisors/hypervisor.js'
import type { HelperLine } from '../../hypervisor-scripts/helper-line.js'
import { openHelper } from '../../hypervisor-scripts/prepared-host.js'
import { lineToHost } from '../../support/line-to-host.js'
import { ROOT } from '../../support/broker-process.js'
import { until } from '../../support/until.js'

t.setTimeout(900_000)
const { host, open, stop } = await lineToHost('destructive')
t.teardown(stop)

const FOLDER = '/var/lib/berth'
/**
 * The name that Berth believes to be its machine's, with the UUID of that machine, which does not
 * exist on this host.
 */
const OURS: DomainId = { name: 'payroll', uuid: 'c0ffee00-0000-4000-8000-00000000000a' }
/** Who really has the name. */
const FOREIGN_UUID = 'c0ffee00-0000-4000-8000-00000000000b'
const OWNER = OURS.uuid
const FILE = `${OURS.name}.qcow2`
const LAYER = `${FILE}.TRANSIENT-${OURS.name}`
const MIB = 1_048_576
const FOREIGN_FILES = [
  `images/${FILE}`,
  `images/${FILE}.part`,
  `images/large.qcow2.part`,
  `images/taken.qcow2`,
  `overlays/${FILE}`,
  `overlays/${FILE}.part`,
  `transient/${FILE}`,
  `transient/${LAYER}`,
].map((name) => `${FOLDER}/${name}`)
const CERTIFICATE = '/etc/pki/libvirt-spice/server-cert.pem'

const xml = (link: HypervisorLink, { name, uuid }: DomainId): string =>
  domainXml({
    name,
    uuid,
    virtType: 'qemu',
    memoryMib: 64,
    vcpus: 1,
    firmware: 'bios',
    network: 'none',
    mac: '52:54:00:c0:ff:ee',
    serial: name,
    disk: `${link.status().facts?.directories.images.path ?? ''}/other.qcow2`,
    transient: false,
    destroyOnReboot: false,
    listen: '127.0.0.1',
    metadata: {},
    template: null,
  })

/** Everything of others, byte for byte: the domain with its state and every file with owner, mode and inode. */
async function snapshot(): Promise<string> {
  const parts = [
    await host.mustRun(['virsh', 'dumpxml', '--inactive', '--security-info', OURS.name]),
    await host.mustRun(['virsh', 'domstate', OURS.name]),
    await host.mustRun(['sha256sum', '--', ...FOREIGN_FILES, CERTIFICATE]),
    await host.mustRun(['stat', '-c', '%n %i %s %a %U %Y', '--', ...FOREIGN_FILES, CERTIFICATE]),
  ]
  return parts.join('\n')
}

type Walk = (link: HypervisorLink) => Promise<unknown>
const items = (name: string): object => ({ items: [{ name, owner: OWNER }] })
const asked = { domain: OURS.name, uuid: OURS.uuid }
const base = { name: FILE, base: 'base.qcow2', fresh: true, owner: OWNER }
const source = { dir: 'images', name: 'base.qcow2' }

/** Each documented operation, asked as a broker would that takes what is there for its own. */
const WALK: Readonly<Record<string, Walk>> = {
  define: async (link) => {
    await link.defineDomain(xml(link, OURS))
  },
  start: async (link) => {
    await link.startDomain(OURS)
  },
  shutdown: async (link) => {
    await link.shutdownDomain(OURS)
  },
  destroy: async (link) => {
    await link.destroyDomain(OURS)
  },
  resume: async (link) => {
    await link.resumeDomain(OURS)
  },
  domain_reboot: async (link) => await link.request('domain_reboot', OURS),
  domain_reset: async (link) => await link.request('domain_reset', OURS),
  domain_undefine: async (link) => await link.request('domain_undefine', OURS),
  domain_metadata: async (link) =>
    await link.request('domain_metadata', { ...OURS, xml: '<berth/>' }),
  guest_agent: async (link) =>
    await link.request('guest_agent', { ...asked, command: 'guest-shutdown' }),
  ticket: async (link) =>
    await link.request('ticket', {
      ...asked,
      password: 'p'.repeat(24),
      ttl_seconds: 5,
      connected: 'disconnect',
    }),
  disconnect: async (link) => await link.request('disconnect', asked),
  transient_clear: async (link) => await link.request('transient_clear', { ...asked, name: FILE }),
  image_create: async (link) =>
    await link.request('image_create', { name: FILE, size_bytes: MIB, owner: OWNER }),
  image_copy: async (link) =>
    await link.request('image_copy', { source, name: FILE, owner: OWNER }),
  image_import: async (link) =>
    await link.request('image_import', {
      path: `${FOLDER}/import/good.qcow2`,
      name: FILE,
      owner: OWNER,
      replace: true,
    }),
  file_receive: async () => {
    const line = await openHelper(host, null)
    try {
      const args = { name: FILE, size: 5, sha256: 'a'.repeat(64), owner: OWNER }
      const code = await line.refusal('file_receive', args)
      throw Object.assign(new Error(code), { code })
    } finally {
      await line.end()
    }
  },
  overlay_create: async (link) => await failedItem(link, 'overlay_create', { items: [base] }),
  image_remove: async (link) => {
    for (const dir of ['images', 'overlays'])
      await failedItem(link, 'image_remove', { dir, ...items(FILE) }).catch((error: unknown) => {
        if (dir === 'overlays') throw error
      })
  },
  parts_remove: async (link) => await link.request('parts_remove', { keep: [] }),
  files_adopt: async (link) => {
    const proof = { bases: ['base.qcow2'], sha256: null }
    const old = { dir: 'overlays', name: FILE, owner: OWNER }
    await failedItem(link, 'files_adopt', { items: [{ ...old, ...proof }] })
  },
  spice_certificate_request: async (link) =>
    await link.request('spice_certificate_request', { common_name: 'hv1' }),
  spice_certificate_install: async (link) =>
    await link.request('spice_certificate_install', { certificate: 'x', ca: 'x' }),
}
/** What does no harm, and so need not be refused. */
const HARMLESS = ['domain_undefine', 'parts_remove', 'spice_certificate_request']

/** Throws the error of a batch's only item. */
async function failedItem(link: HypervisorLink, op: string, args: object): Promise<void> {
  const answer = await link.request<{ items: Array<{ error?: { code: string } }> }>(op, args)
  const code = answer.items[0]?.error?.code
  if (code !== undefined) throw Object.assign(new Error(code), { code })
}

/** A running domain that is not Berth's, and files of the same names beside everything. */
async function putForeign(link: HypervisorLink): Promise<void> {
  const create = ['qemu-img', 'create', '-q', '-f', 'qcow2']
  await link.request('image_create', { name: 'base.qcow2', size_bytes: MIB, owner: 'base' })
  await host.mustRun([...create, `${FOLDER}/images/other.qcow2`, '1M'])
  await host.mustRun([...create, `${FOLDER}/import/good.qcow2`, '1M'])
  await link.defineDomain(xml(link, { name: OURS.name, uuid: FOREIGN_UUID }))
  await link.startDomain({ name: OURS.name, uuid: FOREIGN_UUID })
  for (const path of FOREIGN_FILES)
    await host.mustRun(['tee', '--', path], { input: `this is not Berth's: ${path}\n` })
  await host.mustRun([
    'bash',
    '-c',
    'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null ' +
      `-subj /O=Elsewhere/CN=x -days 9 -out ${CERTIFICATE} 2>/dev/null`,
  ])
}

void t.test('the list of destructive operations is the one that is walked', async (t) => {
  const text = readFileSync(join(ROOT, 'docs/reference/destructive-operations.md'), 'utf8')
  const documented = [...text.matchAll(/^\| `(\w+)` +\|/gm)].map(([, name]) => name)
  t.same(documented.sort(), Object.keys(WALK).sort())
})

void t.test('no operation touches what is not Berth’s, on a real host', async (t) => {
  const { link, close } = open()
  await link.untilUp(20_000)
  await putForeign(link)
  const before = await snapshot()
  for (const [name, act] of Object.entries(WALK)) {
    const code = await act(link).then(
      () => 'done',
      (error: unknown) => (error as { code?: string }).code ?? String(error),
    )
    const expected = HARMLESS.includes(name)
      ? 'done'
      : name === 'spice_certificate_install'
        ? /^(foreign|hypervisor_refused)$/
        : 'foreign'
    t.match(code, expected, name)
    t.equal(await snapshot(), before, `after ${name}`)
  }
  await t.test('what came between the look and the name stays', async (t) => {
    await between(t, link)
    t.equal(await snapshot(), before)
  })
  await close()
})

/** A copy under way, whose name somebody else takes; a copy that is cancelled; and one whose helper is killed. */
async function between(t: T, link: HypervisorLink): Promise<void> {
  const large = `${FOLDER}/images/source.qcow2`
  await host.mustRun([
    'bash',
    '-c',
    `head -c 400M /dev/urandom > /var/tmp/raw && qemu-img convert -O qcow2 -f raw /var/tmp/raw ${large}`,
  ])
  const copy = {
    source: { dir: 'images', name: 'source.qcow2' },
    name: 'large.qcow2',
    owner: OWNER,
  }
  const begun = async (line: HelperLine): Promise<void> => {
    await until(
      () => {
        const refused = line.messages.find((message) => message['ok'] === false)
        if (refused) throw new Error(JSON.stringify(refused))
        return existsSync(host.path(`${FOLDER}/images/.berth-parts/large.qcow2`))
      },
      { withinMs: 10_000, everyMs: 1, what: 'the copy has begun' },
    )
  }
  const mine = `${FOLDER}/images/large.qcow2`
  for (const end of ['overtaken', 'cancelled', 'killed'] as const) {
    const line = await openHelper(host)
    const id = line.send('image_copy', copy, { operation: `between:${end}` })
    await begun(line)
    await host.mustRun(['tee', '--', mine], { input: `somebody was quicker: ${end}` })
    if (end === 'cancelled') await line.must('cancel', { request: id })
    if (end === 'killed') await line.kill()
    else t.match(await line.answer(id), { ok: false }, end)
    if (end !== 'killed') await line.end()
    const undo = {
      dir: 'images',
      items: [{ name: 'large.qcow2', owner: OWNER, made_by: `between:${end}` }],
    }
    t.match(await link.request('image_remove', undo), {
      items: [{ ok: false, error: { code: 'foreign' } }],
    })
    t.equal(
      readFileSync(host.path(mine), 'utf8'),
      `somebody was quicker: ${end}`,
      `${end}, and undone`,
    )
    await host.mustRun(['rm', '--', mine])
    await link.request('parts_remove', { keep: [] })
  }
}
