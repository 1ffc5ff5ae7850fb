import type { Directories } from '../api/hypervisors.js'
import { faultsOr, type Judgement, type Said, says } from './finding.js'

/**
 * What the helper's look at a directory answers (hypervisor-scripts/helper/directory_look.py).
 * `closed_by`: where QEMU cannot pass.
 */
export type DirectoryLook =
  | { readonly path: string; readonly fault: string }
  | {
      readonly path: string
      readonly fault: null
      readonly owner: string
      readonly mode: string
      /** QEMU's, to which the directory is to belong. */
      readonly qemu_group: string
      readonly device: number
      readonly free_bytes: number
      readonly total_bytes: number
      readonly free_inodes: number
      readonly total_inodes: number
      readonly writable: boolean
      readonly reflink: boolean
      readonly keeps_marks: boolean
      readonly closed_by: string | null
    }
export type DirectoriesLook = Readonly<Record<keyof Directories, DirectoryLook>>
export type FilesLook = Readonly<
  Record<keyof Directories, ReadonlyArray<{ readonly name: string; readonly bytes: number }>>
>

const FILLING = 0.1
const FULL = 0.03
const FEW_INODES = 0.05
const WRITABLE_BY_OTHERS = 0o022
const ENTERED_BY_ALL = 0o005
const MOST_NAMED = 5
/** libvirt's throw-away layer lies beside the disk: DISK.TRANSIENT-DOMAIN. */
const LAYER = /\.TRANSIENT-.*$/

export function judgeDirectory(kind: keyof Directories, looks: DirectoriesLook): Judgement {
  const look = looks[kind]
  if (look.fault !== null)
    return says('', { code: 'directory-unusable', values: { path: look.path, reason: look.fault } })
  const { path, owner } = look
  const faults: Said[] = [
    ...(look.writable ? [] : [{ code: 'directory-read-only', values: { path } } as const]),
    // Layers in the transient directory are made by libvirt. Where nothing can be written, this cannot be known.
    ...(look.keeps_marks || !look.writable || kind === 'transient'
      ? []
      : [{ code: 'directory-no-marks', values: { path } } as const]),
    ...(look.closed_by === null
      ? []
      : [{ code: 'directory-closed', values: { place: look.closed_by } } as const]),
    ...spaceFaults(look),
    ...(look.total_inodes > 0 && look.free_inodes < FEW_INODES * look.total_inodes
      ? [{ code: 'directory-inodes', values: { path, count: look.free_inodes } } as const]
      : []),
    ...(owner === 'root' ? [] : [{ code: 'directory-owner', values: { path, owner } } as const]),
    ...rightsFaults(look),
  ]
  return faultsOr(faults, { code: 'directory-good', values: { path } }, measuredOf(kind, looks))
}

function rightsFaults({
  path,
  mode,
  qemu_group: group,
}: Extract<DirectoryLook, { fault: null }>): Said[] {
  const rights = parseInt(mode, 8)
  if ((rights & (WRITABLE_BY_OTHERS | ENTERED_BY_ALL)) === 0) return []
  return [
    {
      code: (rights & WRITABLE_BY_OTHERS) !== 0 ? 'directory-open' : 'directory-entered',
      values: { path, mode, group },
    },
  ]
}

function spaceFaults({
  path,
  free_bytes: free,
  total_bytes: total,
}: Extract<DirectoryLook, { fault: null }>): Said[] {
  const share = total === 0 ? 0 : free / total
  if (share >= FILLING) return []
  return [
    {
      code: share < FULL ? 'directory-full' : 'directory-filling',
      values: { path, free: sizeText(free), percent: Math.floor(100 * share) },
    },
  ]
}

/** Where copies of images are made it matters whether the file system can share blocks. */
function measuredOf(kind: keyof Directories, looks: DirectoriesLook): string {
  const look = looks[kind]
  if (look.fault !== null) return ''
  const free = `${sizeText(look.free_bytes)} / ${sizeText(look.total_bytes)}`
  return kind === 'images' ? `${free}, reflink: ${look.reflink ? '✓' : '–'}` : free
}

/**
 * Files that belong to nobody. `known`: names of disks and generations of this broker; what grows
 * beside them (a part, a layer) is theirs.
 */
export function judgeFiles(look: FilesLook, known: ReadonlySet<string>): Judgement {
  const all = Object.values(look).flat()
  const own = all.filter(
    ({ name }) => /\.qcow2(\.part|\.TRANSIENT-.*)?$/.test(name) && !name.startsWith('.'),
  )
  const left = own.filter(({ name }) => !known.has(name.replace(LAYER, '').replace(/\.part$/, '')))
  const unique = [...new Map(left.map((file) => [file.name, file])).values()] // two settings may name one directory
  const bytes = (files: typeof unique): number => files.reduce((sum, file) => sum + file.bytes, 0)
  const measured = `${own.length}, ${sizeText(bytes(own))}`
  if (unique.length === 0) return says(measured, { code: 'files-used' })
  return says(measured, {
    code: 'files-left',
    values: {
      count: unique.length,
      size: sizeText(bytes(unique)),
      names: named(
        [...unique]
          .sort((one, other) => other.bytes - one.bytes)
          .map(({ name, bytes: size }) => `${name} (${sizeText(size)})`),
      ),
    },
  })
}

/** A few names, and that there are more. */
export function named(names: readonly string[]): string {
  return names.length > MOST_NAMED
    ? `${names.slice(0, MOST_NAMED).join(', ')}, …`
    : names.join(', ')
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const
export function sizeText(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10))
  const value = bytes / 1024 ** power
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power] ?? ''}`
}
