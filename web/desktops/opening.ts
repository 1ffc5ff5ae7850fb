import type { MachinePath, MachinePathList } from '../../broker/api/consoles.js'
import { api, apiText, path } from '../api/client.js'

/** browser: the console here; viewer: a file for remote-viewer; rdp: where the guest answers. */
export const WAYS = ['browser', 'viewer', 'rdp'] as const
export type Way = (typeof WAYS)[number]
const CHOSEN = 'berth-open-with'

/** The way that was chosen last in this browser. */
export function chosenWay(): Way {
  return WAYS.find((way) => way === localStorage.getItem(CHOSEN)) ?? 'browser'
}
export function chooseWay(way: Way): void {
  localStorage.setItem(CHOSEN, way)
}

const VIEWER_FILE_TYPE = 'application/x-virt-viewer'

/**
 * Fetches a ticket for the native viewer and saves it as a file, which remote-viewer opens and
 * deletes. Throws ApiError.
 */
export async function saveViewerFile(machine: string, take: boolean): Promise<void> {
  const file = await apiText('POST', path`/machines/${machine}/console`, {
    body: { take },
    accept: VIEWER_FILE_TYPE,
  })
  save(`${machine}.vv`, file, VIEWER_FILE_TYPE)
}

/** The ways by RDP that the guest answers, the direct one first. Throws ApiError. */
export async function rdpPaths(machine: string): Promise<MachinePath[]> {
  const { paths } = await api<MachinePathList>('GET', path`/machines/${machine}/paths`)
  return paths
    .filter((one) => one.protocol === 'rdp')
    .sort((a, b) => Number(b.via === 'direct') - Number(a.via === 'direct'))
}

/** The file that RDP clients open. */
export function saveRdpFile(machine: string, { address, port }: MachinePath): void {
  const host = address?.includes(':') === true ? `[${address}]` : (address ?? '')
  save(
    `${machine}.rdp`,
    `full address:s:${host}:${port ?? 3389}\r\nprompt for credentials:i:1\r\n`,
    'application/x-rdp',
  )
}

function save(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // The browser has begun to read it by then.
  setTimeout(() => {
    URL.revokeObjectURL(url)
  }, 10_000)
}
