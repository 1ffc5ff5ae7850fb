import { readFileSync } from 'node:fs'
import type { Browser, Locator } from 'playwright-core'
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
import { obstacles } from '../support/accessibility.js'
import { type PageOptions, startBrowser } from '../support/browser.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'
import { windowOf } from './pages-office.js'

t.setTimeout(240_000)
let broker: SimulatedBroker
let browser: Browser
let known: Desk
t.before(async () => {
  broker = await office()
  browser = await startBrowser()
  known = new Desk(broker, newMac())
  known.orders = ORDER_KINDS
  await clientsXml(broker, entry(`mac="${known.macs[0] ?? ''}"`, 'spice:pc-1'))
  await broker.admin.put('/machines/pc-1/maintenance', { on: true, reason: 'new memory' })
  await known.ask()
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

const atPage = async (path: string, options: PageOptions = {}) =>
  await windowOf(browser, broker, 'admin', { path, width: 2200, ...options })

t.test(
  'an unknown device appears by push, is accepted and given a machine by a click',
  async (t) => {
    const { page, faults, close } = await atPage('/thin-clients')
    await page
      .getByRole('row')
      .filter({ hasText: known.macs[0] ?? '' })
      .getByText('Maintenance', { exact: true })
      .waitFor()
    const stranger = new Desk(broker, newMac(), STRANGE_ADDRESS)
    await stranger.ask()
    await page.getByText('1 device waits for you').waitFor()
    t.same(await obstacles(page), [])
    await page.getByRole('button', { name: 'Accept desk' }).click()
    await page
      .getByRole('dialog')
      .getByText(stranger.macs[0] ?? '')
      .waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Accept' }).click()
    await until(
      async () => (await stranger.ask()).deviceKey !== undefined || stranger.key !== null,
      { withinMs: 5_000, what: 'it has a key' },
    )
    await page.getByRole('button', { name: 'Assign a desktop to desk' }).click()
    await page.getByRole('dialog').getByLabel('Machine').last().fill('pc-2')
    t.same(await obstacles(page), [])
    await page.getByRole('dialog').getByRole('button', { name: 'Assign a desktop' }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    t.match(await stranger.askUntil('ready'), { console: { title: 'pc-2' } })
    await page.getByText('1 device waits for you').waitFor({ state: 'detached' })
    t.same(faults, [])
    await close()
  },
)

t.test('a message to a chosen device, by keyboard; what it says comes back by push', async (t) => {
  const { page, faults, close } = await atPage('/thin-clients')
  const waiting = known.ask(60_000)
  await page
    .getByRole('row')
    .filter({ hasText: known.macs[0] ?? '' })
    .getByRole('checkbox')
    .focus()
  await page.keyboard.press('Space')
  await page.getByRole('button', { name: 'Send a message (1)' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('dialog').getByLabel('Message').fill('Back\nin <b>ten</b> minutes')
  await page.getByRole('dialog').getByRole('button', { name: 'Send a message' }).click()
  const { order } = await waiting
  t.match(order, { kind: 'message', text: 'Back in <b>ten</b> minutes', seconds: 60 })
  await page.getByRole('dialog').getByText('Told', { exact: true }).waitFor()
  await known.done(order?.id ?? '', 'done', 'Shown over the desktop.')
  await page.getByRole('dialog').getByText('Shown over the desktop.').waitFor()
  t.same(await obstacles(page), [])
  await page.keyboard.press('Escape')
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await page
    .getByRole('row')
    .filter({ hasText: known.macs[0] ?? '' })
    .getByRole('link')
    .click()
  await page.waitForURL(/\/thin-clients\/[0-9a-f]+$/)
  await page.getByText('Shown over the desktop.').waitFor()
  await page.getByText('thin-client.message').waitFor()
  t.same(await obstacles(page), [])
  t.same(faults, [])
  await close()
})

async function textIn(editor: Locator): Promise<string> {
  await editor.waitFor()
  return (await editor.locator('.cm-line').allTextContents()).join('\n')
}

t.test(
  'clients.xml: checked while typing, a fault is jumped to, the difference shown, saved; a ' +
    'change meanwhile is noticed; an old text comes back',
  async (t) => {
    const { page, faults, close } = await atPage('/clients-xml')
    const text = page.getByRole('textbox', { name: 'Text of clients.xml' })
    const mac = known.macs[0] ?? ''
    const file = (machine: string): string =>
      `<thin-clients>\n${entry(`mac="${mac}"`, `spice:${machine}`)}\n</thin-clients>`
    await text.fill(file('pc 9'))
    await page.getByText('"pc 9" has characters that are not accepted').waitFor()
    t.ok(await page.getByRole('button', { name: 'Save' }).isDisabled())
    await page.getByRole('button', { name: 'line 2, column 1' }).click()
    await page.keyboard.insertText('here')
    const jumped = file('pc 9').replace('\n', '\nhere')
    t.equal(await textIn(text), jumped, 'one types where the fault is')
    t.same(await obstacles(page), [])
    await text.fill(file('pc-2'))
    await page.reload()
    t.equal(await textIn(text), file('pc-2'), 'nothing is lost by a reload')
    await page.getByText('good, 1 entry').waitFor()
    let tell = (): void => {}
    const told = new Promise<void>((resolve) => {
      tell = resolve
    })
    await page.route(/\/clients-xml\/check$/, async (route) => {
      await told
      await route.continue()
    })
    await page.getByRole('button', { name: 'Save' }).click()
    const dialogue = page.getByRole('dialog')
    t.ok(
      await dialogue.getByRole('button', { name: 'Save' }).isDisabled(),
      'nobody knows yet which devices it concerns',
    )
    tell()
    await dialogue.getByText(`${mac}: pc-1 → pc-2`).waitFor()
    t.same(await obstacles(page), [])
    await clientsXml(broker, entry(`mac="${mac}"`, 'rdp:ts.example.org'))
    await dialogue.getByRole('button', { name: 'Save' }).click()
    await dialogue.getByText(/was changed by admin .*after you had read it/).waitFor()
    await dialogue.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('button', { name: /^Go on with my text/ }).click()
    await page.getByRole('button', { name: 'Save' }).click()
    await dialogue.getByText('RDP ts.example.org → pc-2').waitFor()
    await dialogue.getByRole('button', { name: 'Save' }).click()
    await dialogue.waitFor({ state: 'detached' })
    t.equal(readFileSync(broker.clientsXml, 'utf8'), file('pc-2'))
    await page.getByRole('link', { name: 'History' }).click()
    await page.getByRole('link', { name: '2', exact: true }).click()
    await page.getByRole('button', { name: 'Open in editor' }).click()
    await page.waitForURL(/\/clients-xml$/)
    t.match(await textIn(text), /ts\.example\.org/)
    await page.getByRole('button', { name: 'Discard' }).click()
    const isDiscarded = async (): Promise<boolean> => (await textIn(text)) === file('pc-2')
    await until(isDiscarded, { withinMs: 10_000, what: 'the text of the file is back' })
    await page.reload()
    await until(isDiscarded, {
      withinMs: 10_000,
      what: 'what was discarded does not come back',
    })
    t.same(faults, [])
    await close()
  },
)

t.test(
  'a restart of the broker is no alarm: who shows a desktop shows it still; a device that ' +
    'gets none is one, here and at the overview',
  async (t) => {
    const shows = new Desk(broker, newMac())
    await clientsXml(broker, entry(`mac="${shows.macs[0] ?? ''}"`, 'rdp:ts.example.org'))
    await shows.askUntil('ready')
    const { port } = broker.broker
    await broker.stop()
    await broker.start({ listenPort: port })
    await shows.tell({ protocol: 'rdp', title: 'ts.example.org' })
    const { page, faults, close } = await atPage('/thin-clients')
    await page
      .getByRole('row')
      .filter({ hasText: shows.macs[0] ?? '' })
      .getByText('Connected', { exact: true })
      .waitFor()
    await page
      .getByRole('row')
      .filter({ hasText: shows.macs[0] ?? '' })
      .getByText('ts.example.org (rdp)')
      .waitFor()
    await page
      .getByRole('row')
      .filter({ hasText: known.macs[0] ?? '' })
      .getByText('Away', { exact: true })
      .waitFor()
    t.equal(await page.getByText(/waits? for you/).count(), 0)
    const nothing = new Desk(broker, newMac())
    const { device } = await nothing.ask()
    await page.getByText('1 device waits for you').waitFor()
    await page.goto(`${broker.url}/overview`)
    const trouble = page.getByRole('listitem').filter({ hasText: 'Thin client without a desktop' })
    await trouble.getByRole('link', { name: 'desk' }).click()
    await page.waitForURL(new RegExp(`/thin-clients/${device}$`))
    t.same(faults, [])
    await close()
  },
)

t.test(
  'the editor of clients.xml by the keyboard alone: found, marked, searched, left by Tab',
  async (t) => {
    const { page, faults, close } = await atPage('/clients-xml', { dark: true })
    const text = page.getByRole('textbox', { name: 'Text of clients.xml' })
    await text.fill('<thin-clients>\n<client mac="no"/>\n</thin-clients>')
    await page.locator('.cm-line.berth-faulty').waitFor()
    t.same(await page.locator('.cm-gutterElement.berth-faulty').allTextContents(), ['2'])
    t.equal(await text.locator('.berth-faulty').textContent(), '<client mac="no"/>')
    const colour = await page.evaluate(`(() => {
      const line = document.querySelector('.berth-editor').shadowRoot.querySelector('.cm-line')
      const colourOf = (one) => getComputedStyle(one).color
      return colourOf(line.querySelector('span')) !== colourOf(line)
    })()`)
    t.ok(colour, 'the names of elements have their colour')
    await text.focus()
    await page.keyboard.press('Control+z')
    t.notMatch(await textIn(text), /mac="no"/, 'undone')
    await page.keyboard.press('Control+y')
    t.match(await textIn(text), /mac="no"/)
    await page.keyboard.press('Control+f')
    const find = page.getByRole('textbox', { name: 'Find' })
    await find.pressSequentially('mac')
    await page.locator('.cm-searchMatch').first().waitFor()
    t.same(await obstacles(page), [])
    await page.keyboard.press('Escape')
    await find.waitFor({ state: 'detached' })
    await page.keyboard.press('Tab')
    t.match(await page.evaluate('document.activeElement.textContent'), /^line 2/, 'Tab leaves it')
    await page.keyboard.press('Shift+Tab')
    t.equal(await page.evaluate('document.activeElement.className'), 'berth-editor')
    await page.getByRole('button', { name: 'Discard' }).click()
    t.same(faults, [])
    await close()
  },
)

t.test('dark, on a phone, in Lithuanian', async (t) => {
  for (const path of ['/thin-clients', '/clients-xml', '/clients-xml/history']) {
    const { page, close } = await atPage(path, { phone: true, dark: true, language: 'lt' })
    await page.getByRole('heading', { level: 1 }).waitFor()
    t.same(await obstacles(page), [], path)
    t.ok(
      await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth'),
      `${path} is no wider than the phone`,
    )
    await close()
  }
})
