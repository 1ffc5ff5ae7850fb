import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import {
  loaded,
  logIn,
  openWindow,
  type PageOptions,
  startBrowser,
} from '../test/support/browser.js'

export interface Login {
  readonly url: string
  readonly name: string
  readonly password: string
}
interface Picture {
  readonly name: string
  readonly path: string
  /** Shown when the page is ready, besides its heading. */ readonly text?: string | RegExp
  /** A part of the page, by its name, that is brought into view. */ readonly part?: string
}

/** Every page of administrators and observers. */
const ADMINISTRATOR_PAGES: readonly Picture[] = [
  { name: 'overview', path: '/overview' },
  { name: 'history', path: '/overview', part: 'History' },
  { name: 'hypervisors', path: '/hypervisors' },
  { name: 'hypervisor', path: '/hypervisors/hv1' },
  { name: 'hypervisor-new', path: '/hypervisors/-/new' },
  { name: 'hypervisor-check', path: '/hypervisors/hv1/check' },
  { name: 'hypervisor-drain', path: '/hypervisors/hv1/drain' },
  { name: 'machines', path: '/machines', text: 'pc-1' },
  { name: 'machine', path: '/machines/pc-1' },
  { name: 'screens', path: '/machines?view=screens' },
  { name: 'machine-new', path: '/machines/-/new' },
  { name: 'images', path: '/images' },
  { name: 'image', path: '/images/base' },
  { name: 'pools', path: '/pools', text: 'class' },
  { name: 'pool', path: '/pools/class', text: 'class-1' },
  { name: 'thin-clients', path: '/thin-clients' },
  { name: 'clients-xml', path: '/clients-xml' },
  { name: 'people', path: '/people', text: 'ann' },
  { name: 'person', path: '/people/ann' },
  { name: 'grants', path: '/grants' },
  { name: 'directories', path: '/directories' },
  { name: 'tokens', path: '/tokens' },
  { name: 'jobs', path: '/jobs', text: 'populate' },
  { name: 'audit', path: '/audit' },
  { name: 'api-docs', path: '/api-docs' },
]
/** Those of a person, which are made for a phone too. */
const PERSON: readonly Picture[] = [
  { name: 'my-desktops', path: '/' },
  { name: 'device', path: '/device' },
]
const LOOKS: ReadonlyArray<readonly [string, PageOptions]> = [
  ['light', {}],
  ['dark', { dark: true }],
]
const PHONE: ReadonlyArray<readonly [string, PageOptions]> = [['phone', { phone: true }]]
/** Pictures and charts come after the words. */
const SETTLE_MS = 1_500

/**
 * Takes a picture of every page into `folder`, as PAGE-LOOK.png; `desktop` is a machine that the
 * person may see. Gives how many. Throws when a page complains or does not come.
 */
export async function takeScreenshots(
  folder: string,
  administrator: Login,
  person: Login,
  desktop: string,
): Promise<number> {
  mkdirSync(folder, { recursive: true })
  const browser = await startBrowser()
  try {
    const console: Picture = { name: 'console', path: `/machines/${desktop}/console` }
    let count = 0
    for (const [look, options] of [...LOOKS, ...PHONE]) {
      const login = { name: 'login', path: '/' }
      const { page, context } = await openWindow(browser, options)
      await page.goto(person.url)
      await page.locator('#login-name').waitFor()
      await take(page, folder, `${login.name}-${look}`)
      await context.close()
      count += 1 + (await series(browser, person, [...PERSON, console], [look, options], folder))
    }
    for (const look of LOOKS)
      count += await series(browser, administrator, ADMINISTRATOR_PAGES, look, folder)
    return count
  } finally {
    await browser.close()
  }
}

async function series(
  browser: Browser,
  login: Login,
  pictures: readonly Picture[],
  [look, options]: readonly [string, PageOptions],
  folder: string,
): Promise<number> {
  const { page, context, faults } = await openWindow(browser, options)
  await logIn(page, login.url, login.name, login.password)
  for (const { name, path, text, part } of pictures) {
    await page.goto(`${login.url}${path}`)
    await loaded(page)
    if (text !== undefined) await page.getByText(text).first().waitFor()
    if (part !== undefined)
      await page.getByRole('region', { name: part, exact: true }).scrollIntoViewIfNeeded()
    await take(page, folder, `${name}-${look}`)
  }
  await context.close()
  if (faults.length > 0) throw new Error(`A page complains: ${faults.join('; ')}`)
  return pictures.length
}

async function take(page: Page, folder: string, name: string): Promise<void> {
  await page.waitForTimeout(SETTLE_MS)
  await page.screenshot({ path: join(folder, `${name}.png`) })
}
