import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'
import { until } from './until.js'

export interface PageOptions {
  readonly width?: number
  readonly height?: number
  readonly dark?: boolean
  /** As a browser says it: `lt`. */
  readonly language?: string
  readonly phone?: boolean
}

/** Debian's; it is installed by test/fleet/packages. */
const CHROMIUM = '/usr/bin/chromium'

/** A real Chromium without a screen. To be closed. */
export async function startBrowser(): Promise<Browser> {
  return await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  }) // no sandbox: the tests run as root
}

/**
 * A window of its own, with its own cookies; the broker's certificate is its own CA's. Throws
 * later, by `faultsOf`, what the page complains of.
 */
export async function openWindow(
  browser: Browser,
  { width = 1280, height = 800, dark = false, language = 'en', phone = false }: PageOptions = {},
): Promise<{ context: BrowserContext; page: Page; faults: string[] }> {
  const context = await browser.newContext({
    ignoreHTTPSErrors: true,
    viewport: phone ? { width: 390, height: 844 } : { width, height },
    ...(phone ? { isMobile: true, hasTouch: true, deviceScaleFactor: 2 } : {}),
    colorScheme: dark ? 'dark' : 'light',
    locale: language,
    timezoneId: 'UTC',
  })
  const page = await context.newPage()
  retryWhenNetworksChange(page)
  const faults: string[] = []
  page.on('pageerror', (error) => {
    faults.push(String(error))
  })
  // A refusal of the broker is an answer; what the policy of the page blocks, or a script complains of, is a fault.
  page.on('console', (message) => {
    if (message.type() === 'error' && !/Failed to load resource/.test(message.text()))
      faults.push(message.text())
  })
  return { context, page, faults }
}

/** Waits until a page has come and nothing of it is still being asked for. */
export async function loaded(page: Page): Promise<void> {
  await page.locator('#root > *').first().waitFor({ state: 'attached' })
  await until(async () => (await page.locator('.berth-loading').count()) === 0, {
    withinMs: 15_000,
    what: `${page.url()} is loaded`,
  })
}

/**
 * Other tests make hypervisors with networks of their own meanwhile, and Chromium drops what it
 * loads whenever the machine's networks change.
 */
function retryWhenNetworksChange(page: Page): void {
  const goto = page.goto.bind(page)
  page.goto = async (url, options) => {
    for (let tries = 1; ; tries += 1)
      try {
        return await goto(url, options)
      } catch (error) {
        if (tries === 10 || !String(error).includes('ERR_NETWORK_CHANGED')) throw error
      }
  }
}

/** Types name and password into the login page and waits until it is gone. */
export async function logIn(
  page: Page,
  url: string,
  name: string,
  password: string,
): Promise<void> {
  await page.goto(url)
  await page.locator('#login-name').fill(name)
  await page.locator('#login-password').fill(password)
  await page.locator('button[type=submit]').click()
  await page.locator('#login-name').waitFor({ state: 'detached' })
}
