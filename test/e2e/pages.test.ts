import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import t from 'tap'
import type { Desktop } from '../../broker/api/assignments.js'
import { mustRun } from '../fleet/command.js'
import { type GuestScreen, readGuestScreen } from '../fleet/guest-image.js'
import { BerthOnFleet, SMALL } from '../support/berth-on-fleet.js'
import { loaded, logIn, openWindow, startBrowser } from '../support/browser.js'
import { until } from '../support/until.js'

t.setTimeout(900_000)
const PASSWORD = 'correct horse battery'
const pictures = mkdtempSync(join(tmpdir(), 'berth-pages-'))
t.comment(`pictures: ${pictures}`)
const berth = await BerthOnFleet.start({ hosts: 1, name: 'pages' })
t.teardown(async () => {
  await berth.stop()
})
const browser = await startBrowser()
t.teardown(async () => {
  await browser.close()
})
await berth.makeSource('golden', 'one')
await berth.api.done('/pools', {
  name: 'lab',
  from: 'golden',
  size: 2,
  ...SMALL,
})
await berth.api.post('/users', { name: 'alice', password: PASSWORD })
await berth.api.put('/grants', {
  kind: 'pool',
  object: 'lab',
  subjectKind: 'user',
  subject: 'alice',
  verbs: ['start', 'accessConsole', 'release'],
})

const card = (page: Page): Locator => page.getByRole('article', { name: 'lab' })
const canvas = (page: Page): Locator => page.locator('.berth-canvas canvas')
const held = async (): Promise<Desktop[]> =>
  (await berth.api.get<{ desktops: Desktop[] }>('/desktops')).desktops

async function picture(page: Page, name: string): Promise<string> {
  const file = join(pictures, `${name}.png`)
  await canvas(page).screenshot({ path: file })
  return file
}

/** One click, and then what the guest shows of itself in the page. */
async function getDesktop(page: Page, name: string): Promise<GuestScreen> {
  await card(page).getByRole('button', { name: 'Get a desktop' }).click()
  await page.waitForURL(/\/machines\/lab-\d\/console$/, { timeout: 90_000 })
  return await until(async () => await readGuestScreen(await picture(page, name)), {
    withinMs: 60_000,
    everyMs: 500,
    what: 'the page shows the guest',
  })
}

/** The last row, in which the guest shows the keys that it got; the same keys give the same picture. */
async function keysRow(page: Page): Promise<string> {
  const file = await picture(page, 'keys')
  const height = Number(await mustRun(['identify', '-format', '%h', file]))
  return await mustRun([
    'convert',
    file,
    '-gravity',
    'south',
    '-crop',
    `x${Math.round(height / 25)}+0+0`,
    '+repage',
    '-depth',
    '8',
    'txt:-',
  ])
}
async function untilKeys(
  page: Page,
  what: string,
  isShown: (row: string) => boolean,
): Promise<string> {
  return await until(
    async () => {
      const row = await keysRow(page)
      return isShown(row) ? row : null
    },
    { withinMs: 20_000, everyMs: 300, what },
  )
}

t.test(
  'one click gets a desktop and shows it, the guest gets what is typed, and what is given back is over',
  async (t) => {
    const { page, faults, context } = await openWindow(browser)
    await logIn(page, berth.broker.url, 'alice', PASSWORD)
    const shown = await getDesktop(page, 'desktop')
    t.match(
      shown,
      { name: (await held())[0]?.machine, generation: 'one' },
      "the machine that is hers, on the pool's image",
    )

    const empty = await untilKeys(page, 'the guest waits for keys', (row) =>
      /#(?!000000)/.test(row),
    )
    await canvas(page).click()
    await page.keyboard.type('hello', { delay: 30 })
    const hello = await untilKeys(page, 'the guest shows the keys', (row) => row !== empty)
    for (const _ of 'hello') await page.keyboard.press('Backspace')
    await untilKeys(page, 'the row is empty again', (row) => row === empty)
    await page.keyboard.type('other', { delay: 30 })
    await untilKeys(page, 'other keys look otherwise', (row) => ![empty, hello].includes(row))

    const home = await context.newPage()
    await home.goto(berth.broker.url)
    await card(home).getByText('Connected').first().waitFor()
    await home.getByRole('button', { name: 'Actions for lab' }).click()
    await home.getByRole('menuitem', { name: 'Release' }).click()
    await home.getByRole('dialog').getByText(`${shown.name} is returned to the pool`).waitFor()
    t.equal((await held()).length, 1, 'it is asked first')
    await home.getByRole('dialog').getByRole('button', { name: 'Release' }).click()
    await page.getByText('This desktop is no longer assigned to you').waitFor()
    await card(home).getByRole('button', { name: 'Get a desktop' }).waitFor()
    t.same(await held(), [])
    t.same(faults, [])
    await context.close()
  },
)

t.test(
  'a new image reaches the machines by clicks, and a phone shows it; in maintenance nothing is handed out',
  async (t) => {
    await berth.writeGeneration('golden', 'two')
    const { page, faults } = await openWindow(browser)
    await logIn(page, `${berth.broker.url}/images`, 'admin', berth.broker.adminPassword)
    await page.getByRole('button', { name: 'Copy disk from source: lab-golden' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Copy disk from source' }).click()
    await page
      .getByRole('region', { name: 'Copy disk from source: lab-golden' })
      .getByText('Succeeded')
      .waitFor({ timeout: 60_000 })
    await page.getByRole('button', { name: 'Populate machines: lab-golden' }).click()
    const question = page.getByRole('dialog')
    await question.getByText('2 machines go to g2 now.').waitFor()
    for (const name of ['lab-1', 'lab-2']) await question.getByText(name).waitFor()
    await question.getByRole('button', { name: 'Populate machines' }).click()
    const populating = page.getByRole('region', { name: 'Populate machines: lab-golden' })
    await populating.getByRole('progressbar').first().waitFor()
    await populating.getByText('Succeeded').waitFor({ timeout: 60_000 })
    t.equal(
      await populating.getByRole('listitem').filter({ hasText: 'Done' }).count(),
      2,
      'each machine has its result',
    )
    t.match(
      [await berth.machine('lab-1'), await berth.machine('lab-2')],
      [{ generation: 'g2' }, { generation: 'g2' }],
    )

    const phone = await openWindow(browser, { phone: true })
    await logIn(phone.page, berth.broker.url, 'alice', PASSWORD)
    t.match(await getDesktop(phone.page, 'phone'), {
      name: (await held())[0]?.machine,
      generation: 'two',
    })
    await berth.api.post(`/machines/${(await held())[0]?.machine ?? ''}/release`, { force: true })
    await phone.page.getByText('This desktop is no longer assigned to you').waitFor()
    await phone.page.goto(berth.broker.url)
    await card(phone.page).getByRole('button', { name: 'Get a desktop' }).waitFor()

    await page.goto(`${berth.broker.url}/pools/lab`)
    await page.getByRole('button', { name: 'Actions: Actions for lab', exact: true }).click()
    await page.getByRole('menuitem', { name: 'Start maintenance' }).click()
    await page.getByRole('dialog').getByLabel('Reason').fill('New image')
    await page.getByRole('dialog').getByRole('button', { name: 'Start maintenance' }).click()
    await card(phone.page).getByText('In maintenance').waitFor()
    await card(phone.page).getByText('New image').waitFor()
    t.equal(await card(phone.page).getByRole('button', { name: 'Get a desktop' }).count(), 0)
    t.same([...faults, ...phone.faults], [])
  },
)

t.test(
  'three roles see three houses: a person hers, an observer all without the buttons, an administrator everything',
  async (t) => {
    await berth.api.put('/pools/lab/maintenance', { on: false })
    await berth.api.post('/users', { name: 'watcher', password: PASSWORD, roles: ['observer'] })
    const seenBy = async (name: string, password: string): Promise<unknown> => {
      const { page, faults, context } = await openWindow(browser)
      await logIn(page, berth.broker.url, name, password)
      await loaded(page)
      const [menu, cards] = [
        await page.getByRole('navigation').getByRole('link').allInnerTexts(),
        await card(page).count(),
      ]
      await page.goto(`${berth.broker.url}/machines/lab-1`)
      await page.getByRole('heading', { level: 1 }).waitFor()
      await loaded(page)
      await page.screenshot({ path: join(pictures, `role-${name}.png`) })
      const seen = {
        house: menu.includes('Machines'),
        card: cards,
        host: await page.getByText(berth.host(1).name, { exact: true }).count(),
        actions: await page.getByRole('button', { name: 'Actions for lab-1' }).count(),
      }
      t.same(faults, [])
      await context.close()
      return seen
    }
    t.same(await seenBy('alice', PASSWORD), { house: false, card: 1, host: 0, actions: 0 })
    t.same(await seenBy('watcher', PASSWORD), { house: true, card: 0, host: 1, actions: 0 })
    t.same(await seenBy('admin', berth.broker.adminPassword), {
      house: true,
      card: 0,
      host: 1,
      actions: 1,
    })
  },
)
