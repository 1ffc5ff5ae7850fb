import type { Browser } from 'playwright-core'
import t from 'tap'
import type { DesktopList } from '../../broker/api/assignments.js'
import type { Hypervisor } from '../../broker/api/hypervisors.js'
import type { Machine } from '../../broker/api/machines.js'
import { obstacles } from '../support/accessibility.js'
import { logIn, openWindow, startBrowser } from '../support/browser.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'
import { goldenOffice } from './golden-office.js'

let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await goldenOffice(4)
  browser = await startBrowser()
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

t.test(
  'many machines are started, shut down and put in maintenance at once, each with its result',
  async (t) => {
    const { page, faults } = await openWindow(browser, { width: 1600 })
    await logIn(
      page,
      `${broker.url}/machines?type=vdi&group=initial`,
      'admin',
      broker.adminPassword,
    )
    const table = page.getByRole('table', { name: 'Machines' })
    await table.getByRole('link', { name: 'pc-4' }).waitFor()
    t.same(await obstacles(page), [])
    await table.getByRole('checkbox', { name: 'Select pc-1' }).check()
    await table.getByRole('checkbox', { name: 'Select pc-2' }).check()
    const chosen = page.getByRole('button', { name: 'Actions for the selected machines' })
    await chosen.click()
    await page.getByRole('menuitem', { name: 'Start', exact: true }).click()
    await page.getByText('Start: 2 done, 0 failed, 0 open').waitFor()
    await table.getByRole('row', { name: /pc-1 .*Running/ }).waitFor()

    await chosen.click()
    await page.getByRole('menuitem', { name: 'Power off' }).click()
    const dialogue = page.getByRole('dialog')
    await dialogue.getByText('No one has it or is connected now.').waitFor()
    await page.keyboard.press('Escape')
    await dialogue.waitFor({ state: 'detached' })
    await chosen.click()
    await page.getByRole('menuitem', { name: 'Put in maintenance' }).click()
    await dialogue.getByRole('textbox').fill('new cables')
    await dialogue.getByRole('button', { name: 'Put in maintenance' }).click()
    await page.getByText('Put in maintenance: 2 done, 0 failed, 0 open').waitFor()
    t.equal((await broker.admin.get<Machine>('/machines/pc-2')).maintenanceReason, 'new cables')
    await page.reload()
    await table.getByRole('row', { name: /pc-1 .*Maintenance/ }).waitFor()
    await page.getByText('Put in maintenance: 2 done, 0 failed, 0 open').waitFor()
    await table.getByRole('checkbox', { name: 'Select pc-1' }).check()
    await table.getByRole('checkbox', { name: 'Select pc-2' }).check()
    await page
      .getByRole('button', { name: 'Actions for the selected machines' })
      .filter({ hasText: '2' })
      .waitFor()
    await page
      .getByRole('searchbox', { name: 'Search' })
      .or(page.getByPlaceholder('Search'))
      .first()
      .fill('pc-2')
    await page
      .getByRole('button', { name: 'Actions for the selected machines' })
      .filter({ hasText: '1' })
      .waitFor()
    await page
      .getByRole('searchbox', { name: 'Search' })
      .or(page.getByPlaceholder('Search'))
      .first()
      .fill('')
    let asked = 0
    await page.route(/\/maintenance$/, async (route) => {
      if (++asked > 3) return // they hang, until the page goes away
      await route.continue()
    })
    await table.getByRole('checkbox', { name: 'Select all' }).check()
    await chosen.click()
    await page.getByRole('menuitem', { name: 'End maintenance' }).click()
    await page.getByText(/: 3 done, 0 failed, [1-9]/).waitFor()
    await page.unroute(/\/maintenance$/)
    await page.reload()
    await page.getByText(/: [0-9]+ done, 0 failed, 0 open/).waitFor()
    t.equal(
      (await broker.admin.get<{ machines: Machine[] }>('/machines?type=vdi')).machines.filter(
        ({ maintenance }) => maintenance,
      ).length,
      0,
      'what was not asked for yet is done after the reload',
    )
    t.same(faults, [])
  },
)

t.test(
  'one machine: all about it, its XML and history; a refusal is said in one sentence',
  async (t) => {
    const { page, faults } = await openWindow(browser)
    await logIn(page, `${broker.url}/machines/pc-1`, 'admin', broker.adminPassword)
    await page.getByRole('heading', { name: 'pc-1', level: 1 }).waitFor()
    t.same(await obstacles(page), [])
    await page.getByRole('tab', { name: 'XML' }).click()
    await page.getByText('<name>pc-1</name>').waitFor()
    await page.getByRole('tab', { name: 'History' }).click()
    await page.getByRole('cell', { name: 'machine.maintenance-on' }).waitFor()
    t.match(page.url(), /\?tab=history$/)
    t.same(await obstacles(page), [])
    await page.getByRole('button', { name: 'Actions for pc-1' }).click()
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    const remove = page.getByRole('dialog').getByRole('button', { name: 'Delete' })
    t.ok(await remove.isDisabled(), 'its name is typed first')
    await page.getByRole('dialog').getByRole('textbox').fill('pc-1')
    await remove.click()
    await page.getByText(/pc-1 is running: shut it down first/).waitFor()
    t.same(faults, [])
  },
)

t.test(
  'a machine of no pool is given to a person for good, with what is to be known of him, and taken back',
  async (t) => {
    const { page, faults } = await openWindow(browser)
    await logIn(page, `${broker.url}/machines/pc-4`, 'admin', broker.adminPassword)
    const menu = page.getByRole('button', { name: 'Actions for pc-4' })
    const dialogue = page.getByRole('dialog')
    await menu.click()
    t.equal(await page.getByRole('menuitem', { name: 'Release' }).count(), 0, 'nobody has it')
    await page.getByRole('menuitem', { name: 'Assign to a person' }).click()
    await dialogue.getByLabel('Name of the person').fill('dora')
    await dialogue.getByText('No account of this name is known yet').waitFor()
    await dialogue
      .getByText('A machine that is in no pool is assigned without end in any case.')
      .waitFor()
    t.same(await obstacles(page), [])
    await dialogue.getByRole('button', { name: 'Assign' }).click()
    await dialogue.getByText(/Nobody called dora has logged in yet/).waitFor()
    await dialogue.getByRole('button', { name: 'Close' }).last().click()
    await page.locator('dd').filter({ hasText: /^dora/ }).waitFor()
    t.match((await broker.admin.get<DesktopList>('/desktops')).desktops, [
      { machine: 'pc-4', holder: 'dora', expiresAt: null },
    ])
    await menu.click()
    await page.getByRole('menuitem', { name: 'Release' }).click()
    await dialogue.getByText('pc-4: dora has it').waitFor()
    t.same(await obstacles(page), [])
    await dialogue.getByRole('button', { name: 'Release' }).click()
    await dialogue.waitFor({ state: 'detached' })
    t.same((await broker.admin.get<DesktopList>('/desktops')).desktops, [])
    await page.goto(`${broker.url}/machines/gold`)
    await page.getByRole('button', { name: 'Actions for gold' }).click()
    await page.getByRole('menuitem', { name: 'Delete' }).waitFor()
    t.equal(
      await page.getByRole('menuitem', { name: 'Assign to a person' }).count(),
      0,
      "an initial machine is nobody's desktop",
    )
    t.same(faults, [])
  },
)

t.test('machines are created from a form', async (t) => {
  const { page, faults } = await openWindow(browser)
  await logIn(
    page,
    `${broker.url}/machines/-/new?type=vdi&parent=gold`,
    'admin',
    broker.adminPassword,
  )
  await page.getByRole('textbox', { name: 'Name' }).fill('desk-{nn}')
  await page.getByRole('spinbutton', { name: 'How many' }).fill('3')
  await page.getByRole('checkbox', { name: 'hv2' }).check()
  t.same(await obstacles(page), [])
  await page.getByRole('button', { name: 'Create 3 machines' }).click()
  await page
    .getByRole('region', { name: /desk-01/ })
    .getByText('Succeeded')
    .waitFor()
  t.equal((await broker.admin.get<Machine>('/machines/desk-03')).hypervisor, 'hv2')
  t.same(faults, [])
})

t.test(
  'hypervisors: one that is dead blocks nothing; maintenance says whom it concerns',
  async (t) => {
    const { page, faults } = await openWindow(browser)
    broker.host('hv2').link?.setUp(false)
    await logIn(page, `${broker.url}/hypervisors`, 'admin', broker.adminPassword)
    const table = page.getByRole('table', { name: 'Hypervisors' })
    await table.getByRole('row', { name: /hv2 .*Unreachable/ }).waitFor()
    await table.getByRole('meter', { name: 'Memory used on hv1' }).waitFor()
    t.same(await obstacles(page), [])
    broker.host('hv2').link?.setUp(true)
    await table.getByRole('row', { name: /hv2 Up/ }).waitFor()
    await table.getByRole('link', { name: 'hv1' }).click()
    await page
      .getByRole('table', { name: 'Machines on it' })
      .getByRole('link', { name: 'pc-1' })
      .waitFor()
    t.same(await obstacles(page), [])
    await page.getByRole('button', { name: 'Actions for hv1' }).click()
    await page.getByRole('menuitem', { name: 'Put in maintenance' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Put in maintenance' }).click()
    await until(async () => (await broker.admin.get<Hypervisor>('/hypervisors/hv1')).maintenance, {
      withinMs: 5_000,
      what: 'hv1 is in maintenance',
    })
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    t.same(faults, [])
  },
)

t.test('10,000 machines: found in a blink, and few of them drawn', async (t) => {
  await broker.run(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
    INSERT INTO machine (id, name, type, hypervisor, memory_mib, vcpus, network, firmware, mac,
      serial, power_since, created_at)
    SELECT 'many-' || i, 'many-' || i, 'simple', 'hv1', 1024, 1, 'none', 'bios',
      '52:54:00:00:00:00', '', 0, 0
    FROM n`)
  const { page, faults } = await openWindow(browser)
  await logIn(page, `${broker.url}/machines`, 'admin', broker.adminPassword)
  await page.getByText(/^10,?\d{3} rows$/).waitFor()
  t.ok((await page.locator('.berth-table-row').count()) < 100, 'only what is seen is drawn')
  const search = page.getByRole('textbox', { name: 'Search in Machines' })
  await search.fill('many-77')
  await page.getByText(/^111 of /).waitFor()
  const tookMs = await page.evaluate<number>(`new Promise((resolve) => {
    const input = document.querySelector('input[aria-label="Search in Machines"]')
    const shown = () => document.querySelector('.berth-table-body .berth-table-row a')?.textContent
    const from = performance.now()
    const watcher = new MutationObserver(() => {
      if (shown() !== 'many-9999') return
      watcher.disconnect()
      resolve(performance.now() - from)
    })
    watcher.observe(document.body, { subtree: true, childList: true, characterData: true })
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(input, 'many-9999')
    input.dispatchEvent(new Event('input', { bubbles: true }))
  })`)
  t.comment(`a filter over 10,000 rows took ${Math.round(tookMs)} ms`)
  t.ok(tookMs < 1_000, 'found in a blink, on a busy machine too')
  t.same(faults, [])
})
