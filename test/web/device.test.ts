import ipaddr from 'ipaddr.js'
import t from 'tap'
import { TRUSTED } from '../broker/thin-clients/desk.js'
import { account, device, listed, peopleOffice } from '../broker/thin-clients/people-office.js'
import { obstacles } from '../support/accessibility.js'
import { startBrowser } from '../support/browser.js'
import { windowOf } from './pages-office.js'

t.setTimeout(240_000)

interface Begun {
  readonly userCode: string
  readonly handle: string
}

t.test('a person logs in at a thin client by the code that it shows', async (t) => {
  const broker = await peopleOffice({ config: { thinClientNetworks: [ipaddr.parseCIDR(TRUSTED)] } })
  const browser = await startBrowser()
  t.teardown(async () => {
    await browser.close()
    await broker.remove()
  })
  await account(broker, 'alice')
  const desk = await device(broker)
  const { body: begun } = await desk.person<Begun>('login/code')
  const { page, faults, close } = await windowOf(browser, broker, 'alice', {
    path: '/device',
    phone: true,
  })
  const code = page.getByLabel('Code')
  await code.fill('bbbbbbbb')
  t.equal(await code.inputValue(), 'BBBB-BBBB')
  t.same(await obstacles(page), [])
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByText('No thin client shows this code now').waitFor()
  await code.fill(begun.userCode.replace('-', ''))
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByText('Do you want to be logged in as alice').waitFor()
  await page.getByText(desk.macs[0] ?? '').waitFor()
  t.same(await obstacles(page), [])
  await page.getByRole('button', { name: 'Log me in there' }).click()
  await page.getByText('You are logged in').waitFor()
  t.notOk(page.url().includes(begun.userCode))
  t.match(await desk.person('login/code/poll', { handle: begun.handle }), {
    status: 200,
    body: { name: 'alice' },
  })
  t.match(await listed(broker, desk), { person: 'alice' })
  t.same(faults, [])
  await close()
})
