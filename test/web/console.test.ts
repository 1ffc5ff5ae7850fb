import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import type { Desktop } from '../../broker/api/assignments.js'
import { obstacles } from '../support/accessibility.js'
import { startBrowser } from '../support/browser.js'
import { until } from '../support/until.js'
import { type PagesOffice, pagesOffice, person, windowOf } from './pages-office.js'

t.setTimeout(480_000)

/** Types of RFB's messages (RFC 6143, 7.5). */
const KEY = 4
const QEMU_KEY = 255

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

async function give(user: string): Promise<string> {
  return (await it.broker.admin.post<Desktop>('/pools/desks/assign', { user, waitMs: 30_000 }))
    .machine
}
/** The screen is there: its tools are. */
async function shown(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Keys', exact: true }).waitFor()
}
function keysSeen(): number {
  return it.display.seen.flat().filter((type) => type === KEY || type === QEMU_KEY).length
}
async function untilKeys(count: number): Promise<void> {
  await until(() => keysSeen() >= count, {
    withinMs: 10_000,
    everyMs: 20,
    what: `the display has seen ${count} keys`,
  })
}

t.test(
  'the screen, its keys, a text, the keyboard on the screen; and again after the line broke',
  async (t) => {
    await person(it.broker, 'alice')
    const machine = await give('alice')
    const { page, faults, close } = await windowOf(browser, it.broker, 'alice', {
      path: `/machines/${machine}/console`,
    })
    await shown(page)
    t.match(await page.title(), machine)
    t.same(await obstacles(page), [])
    t.notOk(page.url().includes('ticket'))

    await page.getByRole('button', { name: 'Keys', exact: true }).click()
    await page.getByRole('menuitem', { name: 'Ctrl-Alt-Del' }).click()
    await untilKeys(6)
    await page.getByRole('button', { name: 'Send text' }).click()
    await page.locator('#paste-text').fill('Ab\n')
    t.same(await obstacles(page), [])
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await untilKeys(6 + 4 + 2 + 2)
    await page.getByRole('button', { name: 'On-screen keyboard' }).click()
    await page.getByRole('button', { name: 'Shift', exact: true }).click()
    await page.getByRole('button', { name: 'Q', exact: true }).click()
    await untilKeys(14 + 4)
    t.same(await obstacles(page), [])

    const before = it.display.seen.length
    await page.getByRole('button', { name: 'Send text' }).click()
    const long = 'abcdefghij'.repeat(200)
    await page.locator('#paste-text').fill(`${long}ž`)
    await page.getByRole('dialog').getByText('Not on the English (US) layout: ž').waitFor()
    await page.locator('#paste-text').fill(long)
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await untilKeys(18 + 40)
    for (const socket of it.display.sockets) socket.destroy()
    await page
      .getByRole('dialog')
      .getByText(/The line broke after \d+ characters/)
      .waitFor()
    const rest = await page.locator('#paste-text').inputValue()
    t.ok(
      rest.length > 0 && rest.length < long.length && long.endsWith(rest),
      `${rest.length} of ${long.length} are left`,
    )
    await until(() => it.display.seen.length > before, {
      withinMs: 20_000,
      everyMs: 50,
      what: 'the page opens the screen again by itself',
    })
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    await shown(page)
    await it.broker.admin.post(`/machines/${machine}/release`, { force: true })
    await page.getByText('This desktop is no longer assigned to you').waitFor()
    t.same(await obstacles(page), [])
    await page.getByRole('link', { name: 'My desktops', exact: true }).click()
    await page.getByRole('article').waitFor()
    t.same(faults, [])
    await close()
  },
)

t.test(
  'somebody else has it: who may takes it over or watches, and the one who is watched is told',
  async (t) => {
    await person(it.broker, 'bob')
    await person(it.broker, 'guide', ['takeConsole'])
    await person(it.broker, 'peer', ['accessConsole'])
    const machine = await give('bob')
    const path = `/machines/${machine}/console`
    const bob = await windowOf(browser, it.broker, 'bob', { path })
    await shown(bob.page)
    const guide = await windowOf(browser, it.broker, 'guide', { path })
    await guide.page.getByText('Somebody else has this screen').waitFor()
    t.same(await obstacles(guide.page), [])
    await guide.page.getByRole('button', { name: 'View only' }).click()
    await guide.page.getByText('Keyboard and mouse are off').waitFor()
    t.equal(new URL(guide.page.url()).search, '?watch=1', 'it can be sent and reloaded')
    t.equal(await guide.page.getByRole('button', { name: 'Keys', exact: true }).count(), 0)
    await bob.page.getByText('guide watches your screen.').waitFor()
    t.same(await obstacles(bob.page), [])
    await guide.page.goto(`${it.broker.url}${path}`)
    await guide.page.getByRole('button', { name: 'Take it over' }).click()
    await guide.page.getByRole('dialog').getByRole('button', { name: 'Take it over' }).click()
    await shown(guide.page)
    await bob.page.getByText('This screen was opened elsewhere').waitFor()
    const peer = await windowOf(browser, it.broker, 'peer', { path })
    await peer.page.getByText('The screen cannot be opened').waitFor()
    for (const one of [bob, guide, peer]) await one.close()
  },
)

t.test('a machine that is off says so, in Lithuanian, on a phone', async (t) => {
  await person(it.broker, 'carol')
  const machine = await give('carol')
  await it.broker.admin.succeeded(
    (
      await it.broker.admin.post<{ job: string }>(`/machines/${machine}/power`, {
        action: 'poweroff',
      })
    ).job,
  )
  const { page, close } = await windowOf(browser, it.broker, 'carol', {
    path: `/machines/${machine}/console`,
    phone: true,
    language: 'lt',
  })
  await page.getByText('Mašina išjungta').waitFor()
  t.ok(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'))
  t.same(await obstacles(page), [])
  await close()
})
