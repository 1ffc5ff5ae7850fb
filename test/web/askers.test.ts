import { randomBytes } from 'node:crypto'
import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import { Desk, newMac, office, STRANGE_ADDRESS } from '../broker/thin-clients/desk.js'
import { obstacles } from '../support/accessibility.js'
import { startBrowser } from '../support/browser.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { windowOf } from './pages-office.js'

t.setTimeout(240_000)
let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await office()
  browser = await startBrowser()
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

/** A device with a claim of its own, as agents have. */
function deskAt(mac: string, address: string): Desk {
  const desk = new Desk(broker, mac, address)
  desk.claim = randomBytes(32).toString('hex')
  return desk
}

const waits = (page: Page) => page.locator('.berth-waiting-devices')
const dialogue = (page: Page) => page.getByRole('dialog')
/** What asks, as the page says it: the code that stands on the screen, and from where. */
const asks = (page: Page, code: string | undefined, address: string) =>
  waits(page).getByText(`${code ?? '?'} (${address})`)
const clients = async (): Promise<ThinClient[]> =>
  (await broker.admin.get<{ thinClients: ThinClient[] }>('/thin-clients')).thinClients

t.test(
  'of several that say one MAC the one with the code is accepted; the others are shown on, ' +
    'and one becomes a device of its own with a name',
  async (t) => {
    const mac = newMac()
    const stranger = deskAt(mac, STRANGE_ADDRESS)
    const { device, code: strangers } = await stranger.ask()
    const { page, faults, close } = await windowOf(browser, broker, 'admin', {
      path: '/thin-clients',
      width: 2200,
    })
    await asks(page, strangers, STRANGE_ADDRESS).waitFor()
    const real = deskAt(mac, '127.0.0.201')
    const { code } = await real.ask()
    const third = deskAt(mac, '127.0.0.202')
    const { code: thirds } = await third.ask()
    await asks(page, code, '127.0.0.201').waitFor() // by push
    await asks(page, thirds, '127.0.0.202').waitFor()
    t.same(await obstacles(page), [])

    await page.getByRole('button', { name: 'Accept desk' }).click()
    const accept = dialogue(page).getByRole('button', { name: 'Accept' })
    t.ok(await accept.isDisabled(), 'none of them is proposed')
    await dialogue(page)
      .getByLabel('3 devices ask: which one?')
      .selectOption({ label: `${code ?? ''} (127.0.0.201)` })
    t.same(await obstacles(page), [])
    await accept.click()
    await dialogue(page).waitFor({ state: 'detached' })
    t.notOk((await stranger.ask()).deviceKey, 'who asked first gets nothing')
    t.match(await real.ask(), { device, deviceKey: String })
    await real.ask()

    // The third one asks on, now in the place of a device that is accepted.
    t.match(await third.ask(), { state: 'unknown', code: thirds })
    await stranger.ask()
    await asks(page, thirds, '127.0.0.202').waitFor()
    await waits(page)
      .getByText(/in the place of this device, without its key/)
      .waitFor()
    t.same(await obstacles(page), [])
    await page.getByRole('button', { name: 'Accept desk' }).click()
    await dialogue(page)
      .getByLabel('2 devices ask: which one?')
      .selectOption({ label: `${thirds ?? ''} (127.0.0.202)` })
    await dialogue(page).getByLabel('It is', { exact: true }).selectOption('new')
    await accept.click()
    await dialogue(page).waitFor({ state: 'detached' })
    const own = await third.ask()
    t.match(own, { deviceKey: String })
    t.not(own.device, device)
    t.match(await real.ask(), { device }, 'the first one stays what it was')
    t.notOk((await stranger.ask()).deviceKey)
    await asks(page, strangers, STRANGE_ADDRESS).waitFor()

    await page.goto(`${broker.url}/thin-clients/${own.device}`)
    await page.getByRole('heading', { level: 1, name: 'desk' }).waitFor()
    await page.getByRole('button', { name: 'Actions for desk' }).click()
    await page.getByRole('menuitem', { name: 'Rename' }).click()
    await dialogue(page).getByLabel('Name').fill('Reception')
    await dialogue(page).getByRole('button', { name: 'Rename' }).click()
    await page.getByRole('heading', { level: 1, name: 'Reception' }).waitFor()
    t.match(
      (await clients()).map(({ id, name }) => [id, name]).sort(),
      [
        [device, ''],
        [own.device, 'Reception'],
      ].sort(),
    )
    t.same(faults, [])
    await close()
  },
)

t.test(
  'a device that has lost its key is found on the page, and on its own; a name that is taken is said',
  async (t) => {
    const lost = deskAt(newMac(), '127.0.0.1')
    const { device } = await lost.ask()
    await lost.ask()
    await broker.admin.patch(`/thin-clients/${device}`, { name: 'Ward 3' })
    const again = deskAt(lost.macs[0] ?? '', '127.0.0.2')
    const { code } = await again.ask()
    const { page, faults, close } = await windowOf(browser, broker, 'admin', {
      path: '/thin-clients',
      width: 2200,
    })
    await asks(page, code, '127.0.0.2').waitFor()
    await waits(page).getByRole('link', { name: 'Ward 3' }).click()
    await page.waitForURL(new RegExp(`/thin-clients/${device}$`))
    await page.getByText(`${code ?? ''} (127.0.0.2)`).waitFor()
    t.same(await obstacles(page), [])
    await page.getByRole('button', { name: 'Actions for Ward 3' }).click()
    await page.getByRole('menuitem', { name: 'Accept' }).click()
    await dialogue(page).getByText('The code stands on the screen of the device.').waitFor()
    await dialogue(page).getByRole('button', { name: 'Accept' }).click()
    await dialogue(page).waitFor({ state: 'detached' })
    t.match(await again.ask(), { device, deviceKey: String })
    t.match(await again.ask(), { device })
    await page.getByText(`${code ?? ''} (127.0.0.2)`).waitFor({ state: 'detached' })

    await page.getByRole('button', { name: 'Actions for Ward 3' }).click()
    await page.getByRole('menuitem', { name: 'Rename' }).click()
    await dialogue(page).getByLabel('Name').fill('reception')
    await dialogue(page).getByRole('button', { name: 'Rename' }).click()
    await dialogue(page)
      .getByText(/has the name reception already/)
      .waitFor()
    t.equal(await dialogue(page).getByLabel('Name').inputValue(), 'reception', 'nothing is lost')
    t.same(faults, [])
    await close()
  },
)

t.test(
  'nobody asks in its place: who comes between the look and the click gets no key',
  async (t) => {
    const away = deskAt(newMac(), '127.0.0.1')
    const { device } = await away.ask()
    await away.ask()
    await broker.admin.patch(`/thin-clients/${device}`, { name: 'Away' })
    const { port } = broker.broker
    await broker.stop()
    await broker.start({ listenPort: port })
    const { page, faults, close } = await windowOf(browser, broker, 'admin', {
      path: `/thin-clients/${device}`,
    })
    await page.getByRole('button', { name: 'Actions for Away' }).click()
    await page.getByRole('menuitem', { name: 'Accept' }).click()
    await dialogue(page).getByText('No other device asks in its place now.').waitFor()
    const stranger = deskAt(away.macs[0] ?? '', STRANGE_ADDRESS)
    t.match(await stranger.ask(), { code: String })
    await dialogue(page).getByRole('button', { name: 'Accept' }).click()
    await dialogue(page).waitFor({ state: 'detached' })
    t.notOk((await stranger.ask()).deviceKey)
    const again = deskAt(away.macs[0] ?? '', '127.0.0.1')
    t.match(await again.ask(), { device, deviceKey: String }, 'what was seen is what is accepted')
    t.same(faults, [])
    await close()
  },
)
