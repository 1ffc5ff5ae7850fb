import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import { obstacles } from '../support/accessibility.js'
import { loaded, type PageOptions, startBrowser } from '../support/browser.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { fullOffice, LONG_NAME, ROLE } from './full-office.js'
import { PASSWORD, windowOf } from './pages-office.js'

t.setTimeout(480_000)
let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await fullOffice()
  browser = await startBrowser()
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

const TABLES = [
  '/machines',
  '/machines?group=initial',
  '/pools',
  '/pools/desks',
  '/thin-clients',
  '/people',
  '/grants',
  '/tokens',
  '/jobs',
  '/audit',
  '/hypervisors',
  '/hypervisors/hv1',
]
const NO_TABLES = [
  '/overview',
  '/images',
  '/machines/-/new',
  '/machines/desks-1',
  '/people/bob',
  '/clients-xml',
  '/directories',
]
/** A wall, usual screens, a tablet, one at 200 %, a phone. */
const WIDTHS: readonly PageOptions[] = [
  { width: 1920, height: 1080 },
  { width: 1400, height: 900 },
  { width: 1280, height: 720 },
  { width: 820, height: 1180 },
  { width: 640, height: 400 },
  { phone: true },
]
const called = ({ width, phone }: PageOptions): string =>
  phone === true ? 'a phone' : `${width ?? 0} px`

/** What of a page lies outside of what is seen of it, without anybody having scrolled sideways. */
async function outside(page: Page): Promise<string[]> {
  return await page.evaluate(`(() => {
    const wide = document.documentElement.clientWidth
    const { scrollWidth } = document.documentElement
    const faults = scrollWidth > wide ? ['the page is ' + scrollWidth + ' wide'] : []
    for (const table of document.querySelectorAll('.berth-table')) {
      const frame = table.getBoundingClientRect()
      const reach = (name, { left, right }) => name + ' reaches from ' + left + ' to ' + right
      if (frame.right > wide + 1 || frame.left < 0) faults.push(reach('the table', frame))
      for (const part of table.querySelectorAll('.berth-table-actions, .berth-table-head [role=columnheader]')) {
        const place = part.getBoundingClientRect()
        if (place.left >= frame.left - 1 && place.right <= frame.right + 1) continue
        const name = part.className + ' "' + part.textContent + '"'
        faults.push(reach(name, place) + ', ' + reach('the table', frame))
      }
    }
    return faults
  })()`)
}

/** Heads whose words are cut. */
async function cutHeads(page: Page): Promise<string[]> {
  return await page.evaluate(
    "[...document.querySelectorAll('.berth-sort > span')].filter(({ scrollWidth, clientWidth " +
      '}) => scrollWidth > clientWidth).map(({ textContent }) => textContent)',
  )
}

for (const language of ['en', 'lt']) {
  for (const size of WIDTHS) {
    t.test(
      `nothing of a table or a page lies outside of what is seen of it: ${called(size)}, ${language}`,
      async (t) => {
        const { page, faults, close } = await windowOf(browser, broker, 'admin', {
          path: '/machines',
          language,
          ...size,
        })
        for (const path of [...TABLES, ...NO_TABLES]) {
          await page.goto(`${broker.url}${path}`)
          await loaded(page)
          if (TABLES.includes(path))
            await page.locator('.berth-table-body [role=row]').first().waitFor()
          t.same(await outside(page), [], path)
          t.same(await cutHeads(page), [], `heads of ${path}`)
        }
        t.same(faults, [])
        await close()
      },
    )
  }
}

t.test(
  'the actions of a row are reached at every width, and what is cut off is said in full',
  async (t) => {
    const { page, close } = await windowOf(browser, broker, 'admin', {
      path: '/machines',
      width: 1280,
    })
    const name = page.getByRole('link', { name: LONG_NAME })
    await name.hover()
    t.equal(await page.getByRole('cell').filter({ has: name }).getAttribute('title'), LONG_NAME)
    for (const width of [1280, 820, 390]) {
      await page.setViewportSize({ width, height: 800 })
      await page.getByRole('button', { name: `Actions for ${LONG_NAME}` }).click()
      const box = await page.getByRole('menuitem', { name: 'Delete' }).boundingBox()
      t.ok(box && box.x >= 0 && box.x + box.width <= width, `the menu at ${width} px`)
      await page.keyboard.press('Escape')
    }
    await close()
  },
)

t.test(
  'on a phone: the ways to open a desktop are seen whole, and the login page is a form and no picture',
  async (t) => {
    const { page, close } = await windowOf(browser, broker, 'alexandra.wolkenstein-rodriguez', {
      phone: true,
      language: 'lt',
    })
    const user = await page.getByRole('button', { name: /^alexandra/ }).boundingBox()
    t.ok(
      user && user.x > 130 && user.x + user.width <= 390,
      'a long name leaves room for the rest of the head',
    )
    await page.getByRole('button', { name: /^Kiti būdai/ }).click()
    for (const item of await page.getByRole('menuitem').all()) {
      const box = await item.boundingBox()
      t.ok(box && box.x >= 0 && box.x + box.width <= 390, (await item.textContent()) ?? '')
    }
    await page.context().clearCookies()
    await page.goto(`${broker.url}/`)
    const brand = await page.getByRole('img', { name: 'Berth' }).boundingBox()
    t.ok(brand && brand.height < 100, `the picture is ${brand?.height ?? 0} high`)
    await close()
  },
)

t.test('roles with spaces stay whole; a role is taken away by its own button', async (t) => {
  const { page, faults, close } = await windowOf(browser, broker, 'admin', { path: '/people/bob' })
  const dialogue = page.getByRole('dialog')
  const roles = async (): Promise<string[]> =>
    (await broker.admin.get<{ roles: Array<{ role: string }> }>('/users/bob')).roles
      .map(({ role }) => role)
      .sort()
  const change = async (act: () => Promise<void>): Promise<void> => {
    await page.getByRole('button', { name: 'Actions for bob' }).click()
    await page.getByRole('menuitem', { name: 'Change roles' }).click()
    await act()
    await dialogue.getByRole('button', { name: 'Change roles' }).click()
    await dialogue.waitFor({ state: 'detached' })
  }
  await change(async () => {
    await dialogue.getByRole('combobox', { name: 'Roles' }).fill('night watch')
    await page.keyboard.press('Enter')
    await dialogue.getByText('night watch', { exact: true }).waitFor()
    t.same(await obstacles(page), [])
  })
  t.same(await roles(), [ROLE, 'night watch', 'observer'].sort())
  await page.getByText(/night watch \(local\)/).waitFor() // pushed; the next dialogue begins with it
  await change(async () => {
    await dialogue.getByRole('button', { name: `Take the role ${ROLE} away` }).click()
  })
  t.same(await roles(), ['night watch', 'observer'])
  t.same(faults, [])
  await close()
})

t.test(
  'a refusal names the field as the form does, and is seen at the foot of a long form',
  async (t) => {
    const { page, close } = await windowOf(browser, broker, 'admin', {
      path: '/machines/-/new?type=simple',
      width: 1280,
      height: 600,
    })
    await page.getByLabel(/^Name/).fill('pc-9')
    await page.getByLabel('hv1').check()
    await page.getByLabel('CPUs').fill('0')
    await page.getByRole('button', { name: 'Create 1 machine' }).click()
    const words = page.getByText('CPUs: too small; at least 1.')
    await words.waitFor()
    const box = await words.boundingBox()
    t.ok(box && box.y >= 0 && box.y < 600, 'it is in sight')
    await page.goto(`${broker.url}/people`)
    await page.getByRole('button', { name: 'Create an account' }).click()
    await page.getByRole('dialog').getByLabel(/^Name/).fill('carl')
    await page.getByRole('dialog').getByLabel('Password').fill('short')
    await page.getByRole('dialog').getByRole('button', { name: 'Create an account' }).click()
    await page
      .getByRole('dialog')
      .getByText(/^Password: too short; at least 12/)
      .waitFor()
    t.ok(PASSWORD.length >= 12)
    await close()
  },
)
