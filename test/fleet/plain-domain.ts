/** What a fleet's own tests run: the test guest with a SPICE display that anyone on the network may open. */
export type PlainDomain = {
  name: string
  disk: string
  memoryMiB?: number
  video?: 'vga' | 'qxl' | 'virtio'
}

export function plainDomainXml({
  name,
  disk,
  memoryMiB = 128,
  video = 'qxl',
}: PlainDomain): string {
  return `<domain type='qemu'>
  <name>${name}</name>
  <memory unit='MiB'>${memoryMiB}</memory>
  <sysinfo type='smbios'><system><entry name='serial'>${name}</entry></system></sysinfo>
  <os><type arch='x86_64' machine='q35'>hvm</type><boot dev='hd'/><smbios mode='sysinfo'/></os>
  <features><acpi/></features>
  <devices>
    <disk type='file'><driver name='qemu' type='qcow2'/><source file='${disk}'/><target dev='vda' bus='virtio'/></disk>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <graphics type='spice' autoport='yes' listen='0.0.0.0'/>
    <video><model type='${video}'/></video>
  </devices>
</domain>
`
}
