import type { Browser } from 'playwright-core'
import t from 'tap'
import type { GenerationList } from '../../broker/api/images.js'
import type { MachineList } from '../../broker/api/machines.js'
import { obstacles } from '../support/accessibility.js'
import { logIn, openWindow, startBrowser } from '../support/browser.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { until } from '../support/until.js'
import { goldenOffice } from './golden-office.js'

let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await goldenOffice(6)
  browser = await startBrowser()
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

async function seat(name: string, addresses: string[]): Promise<void> {
  const host = [...broker.hosts.values()].find((one) => one.domains.has(name))
  host?.seat(name, addresses)
  await until(
    async () =>
      (await broker.admin.get<MachineList>('/machines')).machines.find(
        (machine) => machine.name === name,
      )?.viewers.length === addresses.length,
    { withinMs: 5_000, what: `${name}: viewers ${addresses.join()}` },
  )
}

t.test(
  'copy, populate and roll back, by clicks and with the truth about who is affected',
  async (t) => {
    await broker.admin.succeeded(
      (await broker.admin.post<{ job: string }>('/machines/pc-2/power', { action: 'start' })).job,
    )
    await seat('pc-2', ['10.1.2.3'])
    const { page, faults } = await openWindow(browser)
    await logIn(page, `${broker.url}/images`, 'admin', broker.adminPassword)
    const generations = page.getByRole('list', { name: 'Generations of gold' })
    await generations.getByText('g1', { exact: true }).waitFor()
    t.equal(
      await generations.getByRole('link', { name: /^pc-\d/ }).count(),
      6,
      'each machine is a square',
    )
    await generations.getByRole('link', { name: 'pc-2: connected' }).waitFor()

    await page.getByRole('button', { name: 'Copy disk from source: gold' }).click()
    const copy = page.getByRole('dialog')
    await copy.getByText('The disk of golden-desktop becomes a new generation of gold').waitFor()
    t.match(page.url(), /\?copy=gold$/, 'the question has an address')
    t.same(await obstacles(page), [])
    await copy.getByRole('button', { name: 'Copy disk from source' }).click()
    await page
      .getByRole('region', { name: 'Copy disk from source: gold' })
      .getByText('Succeeded')
      .waitFor()
    await generations.getByText('g2', { exact: true }).waitFor()

    await page.getByRole('button', { name: 'Populate machines: gold' }).click()
    const populate = page.getByRole('dialog')
    await populate.getByText('5 machines go to g2 now.').waitFor()
    await populate.getByText('1 machine is in use: it is left alone').waitFor()
    await populate.getByText('viewer at 10.1.2.3').waitFor()
    await seat('pc-2', [])
    await populate.getByText('6 machines go to g2 now.').waitFor()
    await seat('pc-2', ['10.1.2.3'])
    await populate.getByText('5 machines go to g2 now.').waitFor()
    t.pass('it stays true while it is asked')
    await populate.getByRole('button', { name: 'Populate machines' }).click()
    const job = page.getByRole('region', { name: 'Populate machines: gold' })
    await job.getByText('Later').waitFor()
    t.match(page.url(), /\?job=/, 'the job has an address')
    await generations.getByRole('link', { name: 'pc-2: connected, renewed later' }).waitFor()
    await page.getByText('1 machine is in use and is renewed when it is released.').waitFor()
    t.same(await obstacles(page), [])

    await page.getByRole('button', { name: 'Roll back to it: gold g1' }).click()
    const back = page.getByRole('dialog')
    await back
      .getByText('6 machines go to g1 now.')
      .or(back.getByText('5 machines go to g1 now.'))
      .waitFor()
    await back.getByText('The machines go to g1, which is not the current one.').waitFor()
    await back.getByRole('checkbox', { name: /^Renew the 1 that is in use/ }).check()
    const force = back.getByRole('button', { name: 'Populate and cut 1 off' })
    t.ok(await force.isDisabled(), 'what nobody gets back is typed first')
    await back.getByRole('textbox').fill('gold')
    await force.click()
    await page
      .getByRole('region', { name: 'Populate machines: gold' })
      .getByText('Succeeded')
      .waitFor()
    await until(
      async () =>
        (await broker.admin.get<GenerationList>('/machines/gold/generations')).generations.find(
          ({ name }) => name === 'g1',
        )?.machines === 6,
      { withinMs: 10_000, what: 'all are on g1' },
    )
    t.same(faults, [])
  },
)

t.test(
  'nothing can be confirmed before it is known whom it would affect; Back closes the question and stays on the page',
  async (t) => {
    const { page, faults } = await openWindow(browser)
    await logIn(page, `${broker.url}/machines`, 'admin', broker.adminPassword)
    await page.getByRole('link', { name: 'Images' }).click()
    let tell = (): void => {}
    const told = new Promise<void>((resolve) => {
      tell = resolve
    })
    await page.route(/\/machines\/gold\/populate/, async (route) => {
      await told
      await route.continue()
    })
    const dialogue = page.getByRole('dialog')
    const search = (): string => new URL(page.url()).search
    await page
      .getByRole('button', { name: 'Roll back to it: gold g2' })
      .or(page.getByRole('button', { name: 'Roll back to it: gold g1' }))
      .click()
    const confirm = dialogue.getByRole('button', { name: 'Populate machines' })
    t.ok(await confirm.isDisabled(), 'nobody knows yet')
    tell()
    await dialogue.getByText(/already: (its disk is|their disks are) recreated from it/).waitFor()
    t.ok(await confirm.isEnabled())
    const options = await dialogue.getByRole('option').allTextContents()
    t.ok(
      options.length > 1 &&
        options.every((option) => /g\d.* · [A-Z][a-z]{2} \d+, 20\d\d, \d+:\d\d/.test(option)),
      options.join('; '),
    )
    await page.goBack()
    await dialogue.waitFor({ state: 'detached' })
    await page.getByRole('heading', { name: 'Images', level: 1 }).waitFor()
    t.equal(search(), '')
    await page.goForward()
    await dialogue.getByText(/recreated from it/).waitFor()
    await page.goBack()
    await page.getByRole('button', { name: 'Copy disk from source: gold' }).click()
    await dialogue.getByRole('button', { name: 'Cancel' }).click()
    await dialogue.waitFor({ state: 'detached' })
    t.equal(search(), '')
    await page.goBack()
    await page.waitForURL(/\/machines$/) // a question that was dropped is no step on the way
    t.same(faults, [])
  },
)

t.test(
  'a disk is imported from a path that one gives: where images may lie only its hypervisor knows',
  async (t) => {
    const { page, faults } = await openWindow(browser)
    await logIn(page, `${broker.url}/images?import=golden-desktop`, 'admin', broker.adminPassword)
    const dialogue = page.getByRole('dialog')
    const file = dialogue.getByLabel('File')
    t.equal(await file.inputValue(), '')
    t.ok(await dialogue.getByRole('button', { name: 'Import a disk' }).isDisabled())
    await dialogue.getByText('in the import directory of hv1').waitFor()
    t.same(await obstacles(page), [])
    await file.fill('/srv/berth/import/new.qcow2')
    await file.press('Enter')
    await page.getByText('Succeeded').first().waitFor()
    t.equal(new URL(page.url()).searchParams.get('import'), null)
    t.same(faults, [])
  },
)

t.test('a dead hypervisor does not block the page, and its refusal is said', async (t) => {
  const { page, faults } = await openWindow(browser)
  broker.host('hv1').link?.setUp(false)
  t.teardown(() => {
    broker.host('hv1').link?.setUp(true)
  })
  await logIn(page, `${broker.url}/images?copy=gold`, 'admin', broker.adminPassword)
  await page
    .getByRole('list', { name: 'Generations of gold', includeHidden: true })
    .waitFor({ state: 'attached' })
  const dialogue = page.getByRole('dialog')
  await dialogue.getByRole('button', { name: 'Copy disk from source' }).click()
  await dialogue.getByText(/hv1 is not reachable/).waitFor()
  await page.keyboard.press('Escape')
  await dialogue.waitFor({ state: 'detached' })
  t.equal(new URL(page.url()).search, '')
  t.same(faults, [])
})

t.test(
  'who only looks on is offered nothing to do; in Lithuanian and on a phone it is all there',
  async (t) => {
    const { page, faults } = await openWindow(browser, { language: 'lt', phone: true, dark: true })
    await broker.admin.post('/users', {
      name: 'watcher',
      password: 'a long password',
      roles: ['observer'],
    })
    await logIn(page, `${broker.url}/images`, 'watcher', 'a long password')
    await page.getByRole('list', { name: 'gold kartos' }).waitFor()
    t.equal(await page.getByRole('button', { name: /Atnaujinti|Kopijuoti/ }).count(), 0)
    t.same(await obstacles(page), [])
    t.same(faults, [])
  },
)
