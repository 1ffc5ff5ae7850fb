import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import type { Desktop } from '../../broker/api/assignments.js'
import { startBrowser } from '../support/browser.js'
import { keepsFocus, untilFocused, untilWithin } from './dialogue-focus.js'
import { PASSWORD, type PagesOffice, pagesOffice, person, windowOf } from './pages-office.js'

t.setTimeout(360_000)
let it: PagesOffice
let browser: Browser
t.before(async () => {
  it = await pagesOffice(4)
  browser = await startBrowser()
})
t.teardown(async () => {
  await browser.close()
  await it.stop()
})

const card = (page: Page) => page.getByRole('article', { name: 'desks' })
async function give(user: string): Promise<string> {
  return (await it.broker.admin.post<Desktop>('/pools/desks/assign', { user, waitMs: 30_000 }))
    .machine
}

t.test("a person's card: reset keeps the menu, release takes it away", async (t) => {
  await person(it.broker, 'alice')
  await give('alice')
  const { page, faults, close } = await windowOf(browser, it.broker, 'alice')
  await card(page).getByText('Ready').waitFor()
  const menu = page.getByRole('button', { name: 'Actions for desks' })
  await keepsFocus(t, page, { opener: menu, item: 'Reset', act: 'Reset' })
  await keepsFocus(t, page, {
    opener: menu,
    item: 'Release',
    act: 'Release',
    done: async () => {
      await card(page).getByRole('button', { name: 'Get a desktop' }).waitFor()
    },
  })
  t.same(faults, [])
  await close()
})

t.test('what is done at once from a menu leaves the focus at its button', async (t) => {
  await person(it.broker, 'dan')
  await give('dan')
  const { page, close } = await windowOf(browser, it.broker, 'dan')
  const menu = page.getByRole('button', { name: 'Actions for desks' })
  await menu.focus()
  await page.keyboard.press('Enter')
  const answered = page.waitForResponse((response) => response.url().endsWith('/extend'))
  await page.getByRole('menuitem', { name: 'Extend' }).focus()
  await page.keyboard.press('Enter')
  t.equal((await answered).status(), 200)
  await untilFocused(page, menu)
  await close()
})

t.test('the password, and the ways by RDP', async (t) => {
  await person(it.broker, 'bob')
  await give('bob')
  const { page, faults, close } = await windowOf(browser, it.broker, 'bob')
  await keepsFocus(t, page, {
    opener: page.getByRole('button', { name: /^bob/ }),
    item: 'Change password',
    leave: 'Close',
    act: 'Close',
    fill: async (dialogue) => {
      await dialogue.getByLabel('Current password').fill(PASSWORD)
      await dialogue.getByLabel('New password').fill(`${PASSWORD}!`)
      await page.keyboard.press('Enter')
      await dialogue.getByText('Password changed').waitFor()
      await untilWithin(page)
    },
  })
  await keepsFocus(t, page, {
    opener: page.getByRole('button', { name: 'Other ways to open desks' }),
    item: /By RDP/,
    leave: 'Close',
    act: 'Close',
  })
  t.same(faults, [])
  await close()
})

t.test('the console: from a dialogue back to the screen, where keys go to the guest', async (t) => {
  await person(it.broker, 'carol')
  await person(it.broker, 'guide', ['takeConsole'])
  const path = `/machines/${await give('carol')}/console`
  const carol = await windowOf(browser, it.broker, 'carol', { path })
  const screen = (page: Page) => page.locator('.berth-canvas canvas')
  await keepsFocus(t, carol.page, {
    opener: carol.page.getByRole('button', { name: 'Send text' }),
    act: 'Send',
    fill: async (dialogue) => {
      await dialogue.getByLabel('Text').fill('abc')
    },
  })
  await untilFocused(carol.page, screen(carol.page))
  const guide = await windowOf(browser, it.broker, 'guide', { path })
  await keepsFocus(t, guide.page, {
    opener: guide.page.getByRole('button', { name: 'Take it over' }),
    act: 'Take it over',
    done: async () => {
      await screen(guide.page).waitFor()
    },
  })
  for (const one of [carol, guide]) await one.close()
})
