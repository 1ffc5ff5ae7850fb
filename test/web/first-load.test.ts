import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import { openWindow, startBrowser } from '../support/browser.js'
import { PASSWORD, type PagesOffice, pagesOffice, person } from './pages-office.js'

t.setTimeout(240_000)

const MOST_BYTES = 350 * 1024
/** What stands in the scripts of this part and in no other: a path, a class, a library's own. */
const PARTS = {
  administrator: '/hypervisors/-/new',
  charts: 'uplot',
  console: 'berth-canvas',
  person: 'berth-offer',
} as const
type Part = keyof typeof PARTS

let it: PagesOffice
let browser: Browser
t.before(async () => {
  it = await pagesOffice(1)
  browser = await startBrowser()
  await person(it.broker, 'alice')
})
t.teardown(async () => {
  await browser.close()
  await it.stop()
})

async function logInAs(page: Page, name: string, password: string): Promise<void> {
  await page.goto(it.broker.url)
  await page.locator('#login-name').fill(name)
  await page.locator('#login-password').fill(password)
  await page.keyboard.press('Enter')
}

/** Which parts have come into this page so far; asked for when nothing is on its way. */
function partsOf(page: Page): () => Promise<Part[]> {
  const scripts: Array<Promise<string>> = []
  page.on('response', (response) => {
    if (response.request().resourceType() === 'script') scripts.push(response.text())
  })
  return async () => {
    await page.waitForLoadState('networkidle')
    const texts = await Promise.all(scripts)
    return (Object.keys(PARTS) as Part[]).filter((part) =>
      texts.some((text) => text.includes(PARTS[part])),
    )
  }
}

t.test("the first load of the person's page, from the login to his cards", async (t) => {
  const { page, context } = await openWindow(browser)
  const network = await context.newCDPSession(page)
  await network.send('Network.enable')
  let bytes = 0
  network.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength
  })
  await logInAs(page, 'alice', PASSWORD)
  await page.getByRole('button', { name: 'Get a desktop' }).waitFor()
  t.comment(`${Math.round(bytes / 1024)} kB`)
  t.ok(bytes > 50_000, 'it was measured')
  t.ok(bytes <= MOST_BYTES, `${bytes} bytes`)
  await context.close()
})

t.test(
  "the console comes with the first screen, the administrators' pages never to a person",
  async (t) => {
    const { page, context } = await openWindow(browser)
    const parts = partsOf(page)
    await logInAs(page, 'alice', PASSWORD)
    const get = page.getByRole('button', { name: 'Get a desktop' })
    await get.waitFor()
    t.same(await parts(), ['person'])
    await get.click()
    await page.getByRole('button', { name: 'Keys', exact: true }).waitFor({ timeout: 30_000 })
    t.same(await parts(), ['console', 'person'])
    await context.close()
  },
)

t.test("an administrator gets the administrators' pages when he opens one", async (t) => {
  const { page, context } = await openWindow(browser)
  const parts = partsOf(page)
  await logInAs(page, 'admin', it.broker.adminPassword)
  await page.getByRole('link', { name: 'Jobs' }).waitFor()
  t.same(await parts(), ['person'])
  await page.getByRole('link', { name: 'Jobs' }).click()
  await page.getByRole('heading', { name: 'Jobs', level: 1 }).waitFor()
  t.same(
    await parts(),
    ['administrator', 'person'],
    'neither the charts nor the console, since they are not shown',
  )
  await context.close()
})
