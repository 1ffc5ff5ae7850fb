import t, { type Test as T } from 'tap'
import type { Job } from '../../../broker/api/jobs.js'
import type { MachinesAndJob } from '../../../broker/api/machines.js'
import { parseDomain } from '../../../broker/hypervisors/domain-reading.js'
import { copyFileSync } from 'node:fs'
import { guestImage } from '../../fleet/guest-image.js'
import { plainDomainXml } from '../../fleet/plain-domain.js'
import { BerthOnFleet, IMAGES, IMPORT_FILE, SMALL } from '../../support/berth-on-fleet.js'
import { differences } from '../hypervisors/domain-corpus.js'

/*
 * Domains that were there before Berth are adopted on a real host, one with its disk where Berth's
 * own are, and everything that destroys is asked for: what Berth has not made stays, byte for byte,
 * and so do the neighbours that nobody has adopted.
 */

t.setTimeout(900_000)
const berth = await BerthOnFleet.start({ hosts: 1, name: 'adoption' })
t.teardown(async () => {
  await berth.stop()
})
const host = berth.host(1)
const DISKS: Readonly<Record<string, string>> = {
  legacy: `${IMAGES}/legacy.qcow2`,
  desktop: '/var/lib/libvirt/images/desktop.qcow2',
  neighbour: `${IMAGES}/neighbour.qcow2`,
}
const image = await guestImage()
for (const [name, disk] of Object.entries(DISKS)) {
  await host.mustRun(['mkdir', '-p', '/var/lib/libvirt/images'])
  copyFileSync(image, host.path(disk))
  await host.mustRun(['tee', '/tmp/domain.xml'], { input: plainDomainXml({ name, disk }) })
  await host.mustRun(['virsh', 'define', '/tmp/domain.xml'])
}
copyFileSync(image, host.path(IMPORT_FILE))
await host.mustRun(['virsh', 'start', 'neighbour'])

const dump = async (name: string): Promise<string> =>
  await host.mustRun(['virsh', 'dumpxml', '--inactive', '--security-info', name])
const MARK = /^. \/domain\/metadata\[1\](\/berth:berth|$)/
const files = async (): Promise<string> =>
  await host.mustRun([
    'bash',
    '-ec',
    `sha256sum ${DISKS['legacy']} ${DISKS['desktop']}; stat -c '%n %i %U ` +
      `%a' ${Object.values(DISKS).join(' ')}; cat /run/libvirt/qemu/neighbour.pid; virsh ` +
      'domstate neighbour; python3 -c "import os, sys; print([os.listxattr(p) for p in ' +
      `sys.argv[1:]])" ${Object.values(DISKS).join(' ')}`,
  ])
const before = {
  files: await files(),
  neighbour: await dump('neighbour'),
  legacy: parseDomain(await dump('legacy')),
  desktop: parseDomain(await dump('desktop')),
}

async function isUntouched(t: T, what: string): Promise<void> {
  t.equal(await files(), before.files, `${what}: disks`)
  t.equal(await dump('neighbour'), before.neighbour, `${what}: the neighbour`)
  for (const name of ['legacy', 'desktop'] as const)
    t.same(
      differences(before[name], parseDomain(await dump(name))).filter((line) => !MARK.test(line)),
      [],
      `${what}: ${name}`,
    )
}
const adopt = async (name: string, type: string): Promise<void> => {
  const { job } = await berth.api.post<MachinesAndJob>('/machines/adopt', {
    hypervisor: 'hv1',
    name,
    type,
  })
  if (job !== null) await berth.api.succeeded(job)
}
const ended = async (path: string, body: object): Promise<Job | string> =>
  await berth.api.post<{ job: string }>(path, body).then(
    async ({ job }) => await berth.api.ended(job),
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  )
async function remove(name: string, query = ''): Promise<Job> {
  const { job } = await berth.api.delete<{ job: string }>(`/machines/${name}${query}`)
  return await berth.api.ended(job)
}

t.test('adopting changes nothing but a mark in the metadata', async (t) => {
  await adopt('legacy', 'source')
  await adopt('desktop', 'simple')
  await isUntouched(t, 'adopted')
})

t.test('an image is put in the place of no disk that Berth has not made', async (t) => {
  for (const name of ['legacy', 'desktop']) {
    const answer = await ended(`/machines/${name}/import`, { path: IMPORT_FILE })
    t.not((answer as { state?: string }).state, 'succeeded', `${name}: ${JSON.stringify(answer)}`)
    await isUntouched(t, `import into ${name}`)
  }
})

t.test('what is made from an adopted source goes, and the source stays', async (t) => {
  const own = { type: 'initial', parent: 'legacy', hypervisors: ['hv1'], ...SMALL }
  await berth.create({ name: 'base', ...own })
  const vdi = {
    name: 'v-{n}',
    count: 2,
    type: 'vdi',
    parent: 'base',
    hypervisors: ['hv1'],
    ...SMALL,
  }
  await berth.create(vdi)
  t.match(await berth.copy('base'), { state: 'succeeded' })
  t.match(await berth.populate('base'), { state: 'succeeded' })
  await isUntouched(t, 'copied and populated')
  t.match(await remove('base', '?force=true'), { state: 'succeeded' })
  await isUntouched(t, 'what was made from it is deleted')
})

t.test('an adopted machine is forgotten, running or not, with force or without', async (t) => {
  await berth.power('desktop', 'start')
  const pid = await host.mustRun(['cat', '/run/libvirt/qemu/desktop.pid'])
  t.match(await remove('desktop', '?force=true'), {
    state: 'succeeded',
    targets: [{ message: /were there before Berth and stay/ }],
  })
  t.equal(await host.mustRun(['cat', '/run/libvirt/qemu/desktop.pid']), pid, 'it goes on running')
  await host.mustRun(['virsh', 'destroy', 'desktop'])
  t.match(await remove('legacy'), { state: 'succeeded' })
  t.equal(await dump('neighbour'), before.neighbour)
  for (const name of ['legacy', 'desktop']) t.match(await dump(name), `<name>${name}</name>`)
  const hash = async (): Promise<string> => (await files()).split('\n')[0] ?? ''
  t.equal(await hash(), before.files.split('\n')[0], 'its disk is as it was')
})

t.test('what was forgotten is foreign again: nothing is made in its place', async (t) => {
  for (const name of ['legacy', 'neighbour']) {
    const answer = await ended('/machines', {
      name,
      type: 'simple',
      diskGib: 0.125,
      hypervisors: ['hv1'],
      ...SMALL,
    })
    t.not((answer as { state?: string }).state, 'succeeded')
    t.match(JSON.stringify(answer), new RegExp(name))
    t.match(await dump(name), `<name>${name}</name>`)
  }
  t.equal(await dump('neighbour'), before.neighbour)
  t.equal((await files()).split('\n')[0], before.files.split('\n')[0])
})
