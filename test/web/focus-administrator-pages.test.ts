import type { Browser } from 'playwright-core'
import t from 'tap'
import { poolOf } from '../broker/pools/office.js'
import { loaded, startBrowser } from '../support/browser.js'
import type { SimulatedBroker } from '../support/simulated-broker.js'
import { keepsFocus, untilFocused, untilNowhere } from './dialogue-focus.js'
import { goldenOffice } from './golden-office.js'
import { PASSWORD, person, windowOf } from './pages-office.js'
import { button, ended, goneRow, heading, type Row, row } from './focus-rows.js'

t.setTimeout(480_000)
let broker: SimulatedBroker
let browser: Browser
t.before(async () => {
  broker = await goldenOffice(3)
  browser = await startBrowser()
  await poolOf(broker, 'desks', 2)
  await person(broker, 'ann', ['start', 'accessConsole'])
  await person(broker, 'ben', ['start', 'accessConsole'])
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
})

const MACHINES: readonly Row[] = [
  {
    path: '/machines',
    opener: 'Actions for pc-1',
    item: 'Put in maintenance',
    act: 'Put in maintenance',
  },
  {
    path: '/machines',
    opener: 'Actions for pc-3',
    item: 'Delete',
    act: 'Delete',
    fill: async (dialogue) => {
      await dialogue.getByRole('textbox').fill('pc-3')
    },
    done: goneRow('pc-3'),
  },
  {
    path: '/machines/pc-2',
    opener: /: Actions for pc-2$/,
    item: 'Change type or hardware',
    act: 'Save',
    fill: async (dialogue) => {
      await dialogue.getByLabel('Memory').fill('768')
    },
  },
  {
    path: '/machines/pc-2',
    opener: /: Actions for pc-2$/,
    item: 'Assign to a person',
    act: 'Assign',
    fill: async (dialogue) => {
      await dialogue.getByLabel('Name of the person').fill('nobody-known')
    },
    told: 'Close',
  },
  {
    path: '/machines/pc-2',
    opener: /: Actions for pc-2$/,
    item: 'Release',
    act: 'Release',
  },
  {
    path: '/hypervisors/hv2',
    opener: /: Actions for hv2$/,
    item: 'Put in maintenance',
    act: 'Put in maintenance',
  },
  {
    path: '/images',
    opener: 'Copy disk from source: gold',
    act: 'Copy disk from source',
    done: ended,
  },
  { path: '/images', opener: 'Populate machines: gold', act: 'Populate machines', done: ended },
  {
    path: '/images',
    opener: 'Actions for golden-desktop',
    item: 'Import a disk',
    act: 'Import a disk',
    fill: async (dialogue) => {
      await dialogue.getByRole('textbox').fill('/var/lib/berth/import/x.qcow2')
    },
    done: ended,
  },
]
const PEOPLE: readonly Row[] = [
  {
    path: '/pools',
    opener: 'Create a pool',
    act: 'Create a pool',
    fill: async (dialogue) => {
      await dialogue.getByLabel(/^Name/).fill('empty')
    },
    done: heading('empty'),
  },
  {
    path: '/pools/desks',
    opener: 'Change the policy',
    act: 'Save',
    fill: async (dialogue) => {
      await dialogue.getByLabel('Keep after disconnect').fill('PT4H')
    },
  },
  {
    path: '/pools/desks',
    opener: 'Actions for desks-1',
    item: 'Assign',
    act: 'Assign',
    fill: async (dialogue) => {
      await dialogue.getByLabel('Name of the person').fill('ann')
    },
  },
  {
    path: '/pools/desks',
    opener: 'Actions for desks-1',
    item: 'Release',
    act: 'Release',
  },
  {
    path: '/pools/desks',
    opener: /^Actions: Actions for desks$/,
    item: 'Start maintenance',
    act: 'Start maintenance',
  },
  {
    path: '/pools/empty',
    opener: /^Actions: Actions for empty$/,
    item: 'Delete the pool',
    act: 'Delete the pool',
    fill: async (dialogue) => {
      await dialogue.getByRole('textbox').fill('empty')
    },
    done: heading('Pools'),
  },
  {
    path: '/people',
    opener: 'Create an account',
    act: 'Create an account',
    fill: async (dialogue) => {
      await dialogue.getByLabel(/^Name/).fill('eve')
      await dialogue.getByLabel('Password').fill(PASSWORD)
    },
    done: heading('eve'),
  },
  {
    path: '/people/eve',
    opener: /Actions for eve/,
    item: 'Change roles',
    act: 'Change roles',
    fill: async (dialogue) => {
      await dialogue.getByLabel('Roles').fill('teachers')
    },
  },
  {
    path: '/people/eve',
    opener: /Actions for eve/,
    item: 'Delete',
    act: 'Delete',
    fill: async (dialogue) => {
      await dialogue.getByRole('textbox').fill('eve')
    },
    done: heading('People'),
  },
  {
    path: '/grants',
    opener: 'Grant access',
    act: 'Save',
    fill: async (dialogue) => {
      await dialogue.getByRole('combobox', { name: 'On', exact: true }).fill('desks')
      await dialogue.getByLabel('Who').fill('teachers')
    },
  },
  {
    path: '/tokens',
    opener: 'Create a token',
    act: 'Create a token',
    fill: async (dialogue) => {
      await dialogue.getByLabel(/^Name/).fill('nightly')
    },
    told: 'Done',
  },
  {
    path: '/tokens',
    opener: 'Actions for nightly',
    item: 'Revoke',
    act: 'Revoke',
    done: goneRow('nightly'),
  },
  {
    path: '/grants',
    opener: /desks.*ben|ben.*desks/,
    item: 'Revoke',
    act: 'Revoke',
    done: goneRow('ben'),
  },
]

for (const [name, rows] of Object.entries({
  'machines and images': MACHINES,
  'pools and people': PEOPLE,
})) {
  t.test(`${name}: every dialogue takes the focus and gives it back`, async (t) => {
    const { page, faults, close } = await windowOf(browser, broker, 'admin')
    for (const { path, opener, done, ...asked } of rows) {
      await page.goto(`${broker.url}${path}`)
      await loaded(page)
      await button(page, opener).waitFor()
      await keepsFocus(t, page, {
        opener: button(page, opener),
        ...asked,
        ...(done ? { done: async () => await done(page) } : {}),
      })
    }
    t.same(faults, [])
    await close()
  })
}

t.test('a job that is cancelled: its button is gone, the focus is not', async (t) => {
  const host = broker.host('hv1')
  host.latencyMs = 2_000
  t.teardown(() => {
    host.latencyMs = 0
  })
  const { job } = await broker.admin.post<{ job: string }>('/machines', {
    name: 'slow-{n}',
    type: 'simple',
    count: 200,
    hypervisors: ['hv1'],
  })
  const { page, faults, close } = await windowOf(browser, broker, 'admin', { path: `/jobs/${job}` })
  const cancel = button(page, 'Cancel the job')
  const accepted = page.waitForResponse((response) => response.url().endsWith('/cancel'))
  await keepsFocus(t, page, {
    opener: cancel,
    act: 'Cancel the job',
    done: async () => {
      await cancel.waitFor({ state: 'detached' })
    },
  })
  t.ok((await accepted).ok(), 'while it went on')
  t.same(faults, [])
  await close()
})

t.test(
  'a focused row that goes away by push leaves the focus at its table, and a click beside everything takes it away',
  async (t) => {
    await broker.admin.succeeded(
      (
        await broker.admin.post<{ job: string }>('/machines', {
          name: 'short',
          type: 'simple',
          hypervisors: ['hv1'],
        })
      ).job,
    )
    const { page, close } = await windowOf(browser, broker, 'admin', { path: '/machines' })
    const link = page.getByRole('link', { name: 'short', exact: true })
    await link.focus()
    await broker.admin.delete('/machines/short')
    await link.waitFor({ state: 'detached' })
    await untilFocused(page, page.getByRole('table', { name: 'Machines' }))
    await page.getByRole('heading', { level: 1 }).click()
    await broker.admin.put('/machines/pc-1/maintenance', { on: false })
    await row(page, 'pc-1').filter({ hasText: 'Maintenance' }).waitFor({ state: 'detached' })
    await untilNowhere(page)
    t.pass('nobody is called back')
    await close()
  },
)
