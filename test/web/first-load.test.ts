import t from 'tap'
import { openWindow, startBrowser } from '../support/browser.js'
import { PASSWORD, pagesOffice, person } from './pages-office.js'

t.setTimeout(120_000)

const MOST_BYTES = 350 * 1024

t.test('the first load of the person\'s page, from the login to his cards', async (t) => {
  const it = await pagesOffice(1)
  const browser = await startBrowser()
  t.teardown(async () => {
    await browser.close()
    await it.stop()
  })
  await person(it.broker, 'alice')
  const { page, context } = await openWindow(browser)
  const network = await context.newCDPSession(page)
  await network.send('Network.enable')
  let bytes = 0
  network.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength })
  await page.goto(it.broker.url)
  await page.locator('#login-name').fill('alice')
  await page.locator('#login-password').fill(PASSWORD)
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Get a desktop' }).waitFor()
  t.comment(`${Math.round(bytes / 1024)} kB`)
  t.ok(bytes > 50_000, 'it was measured')
  t.ok(bytes <= MOST_BYTES, `${bytes} bytes`)
})
