import { readFileSync } from 'node:fs'
import { PassThrough } from 'node:stream'
import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import type { Desktop } from '../../broker/api/assignments.js'
import { obstacles } from '../support/accessibility.js'
import { startBrowser } from '../support/browser.js'
import { type PagesOffice, pagesOffice, person, windowOf } from './pages-office.js'

t.setTimeout(240_000)
const RDP_PORT = 3389
let it: PagesOffice
let browser: Browser
t.before(async () => {
  it = await pagesOffice(2)
  browser = await startBrowser()
})
t.teardown(async () => {
  await browser.close()
  await it.stop()
})

const card = (page: Page) => page.getByRole('article', { name: 'desks' })
async function atHisDesktop(
  name: string,
): Promise<Awaited<ReturnType<typeof windowOf>> & { machine: string }> {
  await person(it.broker, name)
  const { machine } = await it.broker.admin.post<Desktop>('/pools/desks/assign', {
    user: name,
    waitMs: 30_000,
  })
  const window = await windowOf(browser, it.broker, name)
  await card(window.page).getByText('Ready').waitFor()
  return { ...window, machine }
}
async function chooseRdp(page: Page): Promise<void> {
  await card(page).getByRole('button', { name: 'Other ways to open desks' }).click()
  await page.getByRole('menuitem', { name: /By RDP/ }).click()
}

t.test(
  'a guest that does not answer: it is said in a sentence, and nothing is offered',
  async (t) => {
    const { page, faults, close, machine } = await atHisDesktop('alice')
    await chooseRdp(page)
    const dialogue = page.getByRole('dialog', { name: `${machine} by RDP` })
    await dialogue.getByText('The guest does not answer RDP.').waitFor()
    t.same(await obstacles(page), [])
    t.equal(await dialogue.getByRole('button', { name: 'Save the .rdp file' }).count(), 0)
    await dialogue.getByRole('button', { name: 'Close' }).last().click()
    t.same(faults, [])
    await close()
  },
)

t.test(
  'a guest that answers on its own network: the file, the way through the broker, and RDP is remembered',
  async (t) => {
    const host = it.broker.host()
    host.onConnection = (_host, port) => (port === RDP_PORT ? new PassThrough() : null)
    const { page, faults, close, machine } = await atHisDesktop('bob')
    host.addresses.set(machine, ['10.1.0.7'])
    await chooseRdp(page)
    const dialogue = page.getByRole('dialog', { name: `${machine} by RDP` })
    await dialogue.getByText('Through the broker').waitFor()
    t.equal(
      await dialogue.getByRole('button', { name: 'Save the .rdp file' }).count(),
      0,
      'behind its host nobody else reaches it',
    )
    const commands = await dialogue
      .getByRole('textbox', { name: 'Command' })
      .evaluateAll((fields: unknown) =>
        (fields as Array<{ value: string }>).map(({ value }) => value),
      )
    t.match(commands, [
      `berth port-forward ${machine} 13389:${RDP_PORT}`,
      /freerdp.* \/v:127\.0\.0\.1:13389/,
    ])
    t.same(await obstacles(page), [])
    await page.keyboard.press('Escape')

    await it.broker.admin.patch(`/machines/${machine}`, { network: 'bridge:br0' })
    await page.reload()
    await card(page).getByRole('button', { name: 'Open desks: By RDP' }).click()
    await dialogue.getByText('It answers at 10.1.0.7.').waitFor()
    t.same(await obstacles(page), [])
    const file = page.waitForEvent('download')
    await dialogue.getByRole('button', { name: 'Save the .rdp file' }).click()
    t.equal((await file).suggestedFilename(), `${machine}.rdp`)
    t.equal(
      readFileSync(await (await file).path(), 'utf8'),
      `full address:s:10.1.0.7:${RDP_PORT}\r\nprompt for credentials:i:1\r\n`,
    )
    t.same(faults, [])
    await close()
  },
)
