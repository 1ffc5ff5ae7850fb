import type { HypervisorLink } from '../../../broker/hypervisors/hypervisor.js'
import { uuidOf } from '../../hypervisor-scripts/prepared-host.js'
import { FOLDER, host } from './destructive-host.js'
import { type Row, type Target, targetOf, xml } from './destructive-rows.js'

/** Everything of others: where it lies and what is in it. */
export const foreignFiles: string[] = []
const foreignDomains: string[] = []

/** Byte for byte, with inode, owner, mode and time; the domains with their state and the number of the running QEMU. */
export async function snapshot(): Promise<string> {
  const script = [
    'for name in $DOMAINS; do virsh dumpxml --inactive --security-info "$name"; virsh ' +
      'domstate "$name"; cat "/run/libvirt/qemu/$name.pid"; done',
    'xargs -a /root/foreign-files sha256sum --',
    "xargs -a /root/foreign-files stat -c '%n %i %s %a %U %Y' --",
  ].join('\n')
  return await host.mustRun(['env', `DOMAINS=${foreignDomains.join(' ')}`, 'bash', '-ec', script])
}
/**
 * As the files of Berth beside which they lie, in every place but that one; and under the names
 * that what it makes has meanwhile.
 */
export function besides({ name, file }: Target, { dir }: Row): string[] {
  return [
    // An overlay has its link among the layers.
    ...['images', 'overlays', 'transient']
      .filter((one) => one !== dir && !(dir === 'overlays' && one === 'transient'))
      .map((one) => `${one}/${file}`),
    ...['images', 'overlays'].flatMap((one) => [`${one}/${file}.part`, `${one}/${file}.bak`]),
    `images/${file}.TRANSIENT-${name}`,
  ]
}
export const taken = ({ name, file }: Target): string[] => [
  ...['images', 'overlays', 'transient'].map((one) => `${one}/${file}`),
  `transient/${file}.TRANSIENT-${name}`,
  `images/${file}.part`,
]

export async function putFiles(names: readonly string[]): Promise<void> {
  const paths = names.map((name) => `${FOLDER}/${name}`)
  const script = 'while read -r path; do printf "not of Berth: %s\\n" "$path" > "$path"; done'
  await host.mustRun(['bash', '-ec', script], { input: `${paths.join('\n')}\n` })
  foreignFiles.push(...paths)
  await host.mustRun(['tee', '/root/foreign-files'], { input: `${foreignFiles.join('\n')}\n` })
}

/** A running domain that is not Berth's. */
export async function putDomain(link: HypervisorLink, name: string): Promise<void> {
  const foreign = { ...targetOf(name, true), uuid: uuidOf(`foreign ${name}`) }
  const disk = `${FOLDER}/images/disk-of-${name}.qcow2`
  await host.mustRun(['qemu-img', 'create', '-q', '-f', 'qcow2', disk, '1M'])
  await link.defineDomain(xml(foreign))
  await link.startDomain(foreign)
  foreignDomains.push(name)
}
