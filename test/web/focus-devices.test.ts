import t from 'tap'
import { ORDER_KINDS } from '../../broker/api/device-orders.js'
import {
  clientsXml,
  Desk,
  entry,
  newMac,
  office,
  STRANGE_ADDRESS,
} from '../broker/thin-clients/desk.js'
import { startBrowser } from '../support/browser.js'
import { keepsFocus } from './dialogue-focus.js'
import { windowOf } from './pages-office.js'

t.setTimeout(240_000)

t.test(
  'thin clients and clients.xml: every dialogue takes the focus and gives it back',
  async (t) => {
    const broker = await office()
    const browser = await startBrowser()
    t.teardown(async () => {
      await browser.close()
      await broker.remove()
    })
    const desk = new Desk(broker, newMac())
    const mac = desk.macs[0] ?? ''
    desk.orders = ORDER_KINDS
    await clientsXml(broker, entry(`mac="${mac}"`, 'rdp:ts.example.org'))
    await desk.ask()
    await new Desk(broker, newMac(), STRANGE_ADDRESS).ask()
    const { page, faults, close } = await windowOf(browser, broker, 'admin', {
      path: '/thin-clients',
    })
    const button = (name: string | RegExp) => page.getByRole('button', { name, exact: true })
    const row = page.getByRole('row').filter({ hasText: mac })
    const menu = row.getByRole('button')
    await row.getByRole('checkbox').check()

    await keepsFocus(t, page, {
      opener: button('Send a message (1)'),
      act: 'Send a message',
      told: 'Close',
      fill: async (dialogue) => {
        await dialogue.getByLabel('Message').fill('Back soon')
      },
    })
    await keepsFocus(t, page, { opener: menu, item: 'Reconnect', act: 'Reconnect', told: 'Close' })
    await keepsFocus(t, page, {
      opener: menu,
      item: 'Assign a desktop',
      act: 'Assign a desktop',
      fill: async (dialogue) => {
        await dialogue.getByLabel('Machine').last().fill('pc-1')
      },
    })
    await keepsFocus(t, page, {
      opener: button('Accept desk'),
      act: 'Accept',
      done: async () => {
        await page.getByText('1 device waits for you').waitFor({ state: 'detached' })
      },
    })
    await keepsFocus(t, page, {
      opener: menu,
      item: 'Forget',
      act: 'Forget',
      done: async () => {
        await row.waitFor({ state: 'detached' })
      },
    })

    await page.goto(`${broker.url}/clients-xml`)
    await page
      .getByRole('textbox', { name: 'Text of clients.xml' })
      .fill(`<thin-clients>\n${entry(`mac="${mac}"`, 'spice:pc-2')}\n</thin-clients>`)
    await page.getByText('good, 1 entry').waitFor()
    await keepsFocus(t, page, { opener: button('Save'), act: 'Save' })
    t.same(faults, [])
    await close()
  },
)
