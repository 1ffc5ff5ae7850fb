import { type Command, Option } from 'commander'
import { parseInteger } from '../quantities.js'

export interface HypervisorSettings {
  readonly virtType?: string
  readonly imagesDir?: string
  readonly overlaysDir?: string
  readonly transientDir?: string
  readonly maxStarts?: number
  readonly displayAddress?: string
  readonly listenAddress?: string
}

/** The options that `add` and `set` share. */
export function withSettings(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--virt-type <TYPE>',
        'how guests run: auto is probed by booting something; qemu is software emulation',
      ).choices(['auto', 'kvm', 'qemu']),
    )
    .option(
      '--images-dir <DIRECTORY>',
      'where disk images and generations lie on the host (Proxmox: storage)',
    )
    .option('--overlays-dir <DIRECTORY>', 'where the disks of vdi machines lie')
    .option('--transient-dir <DIRECTORY>', 'where throw-away layers lie')
    .option('--max-starts <N>', 'machines started at one time, 1 to 64', parseInteger(1, 64))
    .option(
      '--display-address <ADDRESS>',
      'where viewers are sent, if it is not the address that the broker uses',
    )
    .option(
      '--listen-address <ADDRESS>',
      'where displays listen: an address of the host, 0.0.0.0, :: or auto (the display ' +
        "address where it is the host's own, else all of its family)",
    )
}

/** The settings as the API takes them; what was not given is absent. */
export function settingsBody(options: HypervisorSettings): Record<string, unknown> {
  const {
    imagesDir: images,
    overlaysDir: overlays,
    transientDir: transient,
    virtType,
    maxStarts,
    displayAddress,
    listenAddress,
  } = options
  const directories = Object.fromEntries(
    Object.entries({ images, overlays, transient }).filter(([, value]) => value !== undefined),
  )
  const given = {
    virtType,
    maxStarts,
    displayAddress,
    listenAddress,
    directories: Object.keys(directories).length === 0 ? undefined : directories,
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}
