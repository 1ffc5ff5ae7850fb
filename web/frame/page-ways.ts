import type { TFunction } from 'i18next'

type Page =
  | 'clientsXml'
  | 'grants'
  | 'hypervisors'
  | 'images'
  | 'jobs'
  | 'machines'
  | 'people'
  | 'pools'
  | 'thinClients'

/**
 * Where on these pages is done what a command of `berth` does: a page, and a button or word on it.
 * What only the command can do is not here.
 */
export const WAYS: Readonly<
  Record<
    string,
    readonly [
      page: Page,
      word?:
        | 'thinClients.deeds.accept'
        | 'clientsXml.history'
        | 'jobProgress.cancel'
        | 'images.copy'
        | 'machines.create'
        | 'machines.adopt'
        | 'hypervisors.trust'
        | 'hypervisors.line'
        | 'hypervisors.edit'
        | 'pools.addMember'
        | 'pools.resize',
    ]
  >
> = {
  'clients-xml history': ['clientsXml', 'clientsXml.history'],
  'grant list': ['grants'],
  'hypervisor domains': ['machines', 'machines.adopt'],
  'hypervisor list': ['hypervisors'],
  'hypervisor set --display-address': ['hypervisors', 'hypervisors.edit'],
  'hypervisor show': ['hypervisors', 'hypervisors.line'],
  'hypervisor trust': ['hypervisors', 'hypervisors.trust'],
  'image copy': ['images', 'images.copy'],
  'image generations': ['images'],
  'job cancel': ['jobs', 'jobProgress.cancel'],
  'job list': ['jobs'],
  'machine adopt': ['machines', 'machines.adopt'],
  'machine create': ['machines', 'machines.create'],
  'machine delete': ['machines'],
  'machine list': ['machines'],
  'pool add': ['pools', 'pools.addMember'],
  'pool list': ['pools'],
  'pool resize': ['pools', 'pools.resize'],
  'pool show': ['pools'],
  'thin-client accept': ['thinClients', 'thinClients.deeds.accept'],
  'thin-client list': ['thinClients'],
  'thin-client remove': ['thinClients'],
  'user list': ['people'],
  'user tokens': ['people'],
}
const COMMAND = /(\brun )?["„“]berth ([a-z-]+ [a-z-]+)([^"“”]*)["“”]/g

/**
 * A sentence of the broker, which tells the commands for what is to be done, with the pages' own
 * ways in their places.
 */
export function pageWays(t: TFunction, sentence: string): string {
  return sentence.replace(
    COMMAND,
    (whole, run: string | undefined, command: string, rest: string) => {
      const [option] = /--[a-z-]+/.exec(rest) ?? []
      const [page, word] = WAYS[`${command} ${option ?? ''}`.trim()] ?? WAYS[command] ?? []
      if (page === undefined) return whole
      const way = [t(`navigation.${page}`), ...(word === undefined ? [] : [t(word)])]
      return `${run === undefined ? '' : 'use '}“${way.join(' › ')}”`
    },
  )
}
