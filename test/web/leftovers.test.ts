import t from 'tap'
import { obstacles } from '../support/accessibility.js'
import { loaded, logIn, openWindow, startBrowser } from '../support/browser.js'
import { SimulatedBroker } from '../support/simulated-broker.js'

t.setTimeout(120_000)

t.test('what is left on a host that is away stands on its page, until it is removed', async (t) => {
  const broker = await SimulatedBroker.start({ hosts: 1 })
  const browser = await startBrowser()
  t.teardown(async () => {
    await browser.close()
    await broker.remove()
  })
  await broker.addHypervisors()
  const { job } = await broker.admin.post<{ job: string }>('/machines', {
    name: 'gone',
    type: 'simple',
    hypervisors: ['hv1'],
  })
  await broker.admin.succeeded(job)
  const { page, faults } = await openWindow(browser)
  await logIn(page, `${broker.url}/hypervisors/hv1`, 'admin', broker.adminPassword)
  await loaded(page)
  t.equal(await page.getByText('Still to be removed').count(), 0)
  broker.host('hv1').link?.setUp(false)
  await broker.admin.delete('/machines/gone?force=true')
  const table = page.getByRole('grid', { name: 'Still to be removed' })
  await table.getByRole('row').filter({ hasText: 'gone.qcow2' }).waitFor()
  t.ok(await table.getByRole('row').filter({ hasText: 'Domain' }).isVisible())
  t.same(await obstacles(page), [])
  broker.host('hv1').link?.setUp(true)
  await table.waitFor({ state: 'detached' })
  t.notOk(broker.host('hv1').domains.has('gone'))
  t.same(faults, [])
})
