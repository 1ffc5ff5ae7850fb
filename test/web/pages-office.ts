import type { Browser, Page } from 'playwright-core'
import type { Verb } from '../../broker/api/permissions.js'
import { type RfbDisplay, startDisplay } from '../broker/consoles/rfb-display.js'
import { office, poolOf } from '../broker/pools/office.js'
import { allow } from '../support/people.js'
import { logIn, openWindow, type PageOptions } from '../support/browser.js'
import type { SimulatedBroker, SimulatedBrokerOptions } from '../support/simulated-broker.js'

export const PASSWORD = 'correct horse battery'
export const ALL_OF_HIS: readonly Verb[] = [
  'start',
  'stop',
  'reset',
  'accessConsole',
  'release',
  'extend',
  'rebuild',
]

export interface PagesOffice {
  readonly broker: SimulatedBroker
  readonly display: RfbDisplay
  stop(): Promise<void>
}

/** A broker with a pool of desktops, `desks`, whose screens are all the same display. To be stopped. */
export async function pagesOffice(
  size: number,
  policy: object = {},
  options: SimulatedBrokerOptions = {},
): Promise<PagesOffice> {
  const broker = await office({ hosts: 1, ...options })
  const display = await startDisplay()
  broker.host().onDisplay = () => display.connection()
  await poolOf(broker, 'desks', size, policy)
  return {
    broker,
    display,
    stop: async () => {
      await broker.remove()
      await display.close()
    },
  }
}

/** An account with PASSWORD and these verbs on `desks`. */
export async function person(
  broker: SimulatedBroker,
  name: string,
  verbs: readonly Verb[] = ALL_OF_HIS,
): Promise<void> {
  await broker.admin.post('/users', { name, password: PASSWORD })
  if (verbs.length > 0) await allow(broker, name, verbs, 'desks', 'pool')
}

/** A window of his, or of the administrator's, logged in. `faults`: what the page complains of. */
export async function windowOf(
  browser: Browser,
  broker: SimulatedBroker,
  name: string,
  { path = '/', ...options }: PageOptions & { readonly path?: string } = {},
): Promise<{ page: Page; faults: string[]; close: () => Promise<void> }> {
  const { page, faults, context } = await openWindow(browser, options)
  await logIn(
    page,
    `${broker.url}${path}`,
    name,
    name === 'admin' ? broker.adminPassword : PASSWORD,
  )
  return {
    page,
    faults,
    close: async () => {
      await context.close()
    },
  }
}
