import type { Config } from '../config.js'
import type { Changes } from '../live/changes.js'
import { codeSecretOf } from './askers.js'
import { ClientsXmlFile } from './clients-file.js'
import { ThinClients, type ThinClientsDeps } from './service.js'

export type ThinClientPartsDeps = Omit<
  ThinClientsDeps,
  'clientsXml' | 'onSeen' | 'networks' | 'codeSecret' | 'horizonServer' | 'loginIdleMs'
> & {
  readonly config: Config
  readonly changes: Changes
}

export interface ThinClientParts {
  readonly clientsXml: ClientsXmlFile
  readonly thinClients: ThinClients
}

/** The devices on the desks, and the file that says what each gets. The file is not read yet. */
export async function assembleThinClients(deps: ThinClientPartsDeps): Promise<ThinClientParts> {
  const { config, changes, store } = deps
  const { horizonServer } = config
  const clientsXml = new ClientsXmlFile({ ...deps, path: config.clientsXmlPath, horizonServer })
  const thinClients = new ThinClients({
    ...deps,
    clientsXml,
    onSeen: () => {
      changes.note('thin-clients')
    },
    networks: config.thinClientNetworks,
    codeSecret: await codeSecretOf(store),
    horizonServer,
    loginIdleMs: config.thinClientLoginIdleMs,
  })
  changes.subscribe((topics) => {
    if (topics.includes('people')) thinClients.noteAccounts()
  })
  deps.events.subscribe('clientsXmlRead', () => {
    changes.note('clients-xml')
  })
  return { clientsXml, thinClients }
}
