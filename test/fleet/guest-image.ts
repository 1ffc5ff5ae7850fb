import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fleetScript, mustRun, runCommand } from './command.js'

/** What the guest shows of itself in its QR code. */
export type GuestScreen = { name: string; generation: string; boots: number }

const buildTimeoutMs = 300_000
const rootPartition = 2

/** Builds the test guest unless that is done, and gives the path of its qcow2. It needs 128 MiB and a virtio disk. */
export async function guestImage(): Promise<string> {
  return (await mustRun([fleetScript('guest-image')], { timeoutMs: buildTimeoutMs })).trim()
}

/**
 * Writes a file into the guest's root file system, off-line and without mounting.
 * The image, qcow2 or raw, must have no backing file; its owner and mode stay.
 */
export async function writeIntoImage(
  imagePath: string,
  guestPath: string,
  text: string,
): Promise<void> {
  const format = await imageFormat(imagePath)
  const before = statSync(imagePath)
  const work = mkdtempSync(join(tmpdir(), 'berth-image-'))
  // Beside the image, so that the last step is a rename.
  const written = join(
    dirname(imagePath),
    `.${basename(imagePath)}.${randomBytes(4).toString('hex')}`,
  )
  try {
    const disk = join(work, 'disk.raw')
    writeFileSync(join(work, 'content'), text)
    await mustRun(['qemu-img', 'convert', '-f', format, '-O', 'raw', imagePath, disk])
    await writeWithDebugfs(
      `${disk}?offset=${await rootOffsetBytes(disk)}`,
      join(work, 'content'),
      guestPath,
    )
    await mustRun(['qemu-img', 'convert', '-f', 'raw', '-O', format, disk, written])
    chownSync(written, before.uid, before.gid)
    chmodSync(written, before.mode & 0o7777)
    renameSync(written, imagePath)
  } finally {
    rmSync(work, { recursive: true, force: true })
    rmSync(written, { force: true })
  }
}

/** debugfs(8) exits 0 whatever its commands did, so the file is read back. */
async function writeWithDebugfs(
  fileSystem: string,
  contentPath: string,
  guestPath: string,
): Promise<void> {
  if (/[\s"]/.test(guestPath))
    throw new Error(`debugfs takes no spaces or quotes in a path: ${guestPath}`)
  const requests = `rm ${guestPath}\nwrite ${contentPath} ${guestPath}\n`
  await mustRun(['debugfs', '-w', '-f', '-', fileSystem], { input: requests })
  const found = await mustRun(['debugfs', '-R', `stat ${guestPath}`, fileSystem])
  if (!found.includes('Type: regular'))
    throw new Error(`${guestPath} could not be written; does its folder exist in the image?`)
}

async function imageFormat(imagePath: string): Promise<string> {
  const info = JSON.parse(
    await mustRun(['qemu-img', 'info', '--output=json', imagePath]),
  ) as Record<string, unknown>
  if (info['backing-filename'] !== undefined)
    throw new Error(`${imagePath} has a backing file; write into its base instead`)
  return String(info['format'])
}

async function rootOffsetBytes(disk: string): Promise<number> {
  const table = JSON.parse(await mustRun(['sfdisk', '--json', disk])) as {
    partitiontable: { sectorsize: number; partitions: { start: number }[] }
  }
  const { partitions, sectorsize } = table.partitiontable
  const root = partitions[rootPartition - 1]
  if (!root)
    throw new Error(`${disk} has no partition ${rootPartition}; it is not a copy of the test guest`)
  return root.start * sectorsize
}

/** Reads the guest's code from a picture. Rejects when none is on it: the guest may still be booting. */
export async function readGuestScreen(pngPath: string): Promise<GuestScreen> {
  const { stdout, stderr } = await runCommand([
    'zbarimg',
    '--quiet',
    '--raw',
    '-Sdisable',
    '-Sqrcode.enable',
    pngPath,
  ])
  const [, name, generation, boots] = /^berth:([^:\n]*):([^:\n]*):(\d+)$/m.exec(stdout) ?? []
  if (name === undefined || generation === undefined) {
    throw new Error(
      `no guest's code is on ${pngPath}: ${stdout.trim() || stderr.trim() || 'nothing was read'}`,
    )
  }
  return { name, generation, boots: Number(boots) }
}
