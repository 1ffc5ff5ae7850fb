import { Value } from '@sinclair/typebox/value'
import type { Browser, Page } from 'playwright-core'
import t from 'tap'
import { ProviderSettings } from '../../broker/login-settings.js'
import { type StubProvider, startStubProvider } from '../broker/users/stub-provider.js'
import { obstacles } from '../support/accessibility.js'
import { startBrowser } from '../support/browser.js'
import { SimulatedBroker } from '../support/simulated-broker.js'
import { person, windowOf } from './pages-office.js'

t.setTimeout(240_000)
let broker: SimulatedBroker
let browser: Browser
let stub: StubProvider
t.before(async () => {
  stub = await startStubProvider()
  broker = await SimulatedBroker.start({
    config: {
      oidcProviders: [
        Value.Default(ProviderSettings, {
          name: 'corp',
          title: 'Our company',
          issuer: stub.issuer,
          'client-id': 'berth',
          'client-secret-file': stub.secretFile,
          'ca-file': stub.ca,
          scope: 'openid profile groups',
        }) as ProviderSettings,
      ],
    },
  })
  browser = await startBrowser()
  await person(broker, 'olga', [])
  await broker.admin.patch('/users/olga', { roles: ['observer'] })
})
t.teardown(async () => {
  await browser.close()
  await broker.remove()
  stub.remove()
})

/** The line of a step, with how it went. */
const step = (page: Page, name: string, how: 'ok' | 'fault') =>
  page
    .getByRole('listitem')
    .filter({ has: page.getByText(name, { exact: true }) })
    .filter({ hasText: new RegExp(`^${how}`) })

t.test('what a login with a provider needs is tried by a click, step by step', async (t) => {
  const { page, faults, close } = await windowOf(browser, broker, 'admin', { path: '/directories' })
  await page.getByRole('heading', { name: /Our company \(corp\)/ }).waitFor()
  t.same(await obstacles(page), [])
  const go = page.getByRole('button', { name: 'Try it: corp' })
  await go.focus()
  await page.keyboard.press('Enter')
  await page.getByText('A login would work').waitFor()
  for (const name of ['discovery', 'clock', 'keys', 'client', 'scope', 'redirect', 'device'])
    await step(page, name, 'ok').waitFor()
  t.same(await obstacles(page), [])
  stub.skewMs = 120_000
  await go.click()
  await page.getByText('A login would fail').waitFor()
  await step(page, 'clock', 'fault').filter({ hasText: 'ahead of the broker' }).waitFor()
  await step(page, 'keys', 'ok').waitFor()
  t.same(await obstacles(page), [])
  stub.skewMs = 0
  stub.instead = { '/.well-known/openid-configuration': [503, {}] }
  await go.click()
  await step(page, 'discovery', 'fault').waitFor()
  await step(page, 'clock', 'fault').waitFor({ state: 'detached' })
  stub.instead = {}
  await go.click()
  await page.getByText('A login would work').waitFor()
  t.match(
    (
      await broker.rows<{ result: string }>(
        "SELECT result FROM event WHERE action = 'provider.test' ORDER BY id",
      )
    ).map(({ result }) => result),
    ['ok', 'refused', 'refused', 'ok'],
  )
  t.same(faults, [])
  await close()
})

t.test('an observer sees it and tries nothing; dark, on a phone, in Lithuanian', async (t) => {
  const observer = await windowOf(browser, broker, 'olga', { path: '/directories' })
  await observer.page.getByRole('heading', { name: /Our company/ }).waitFor()
  t.equal(await observer.page.getByRole('button', { name: 'Try it: corp' }).count(), 0)
  await observer.close()
  const { page, faults, close } = await windowOf(browser, broker, 'admin', {
    path: '/directories',
    phone: true,
    dark: true,
    language: 'lt',
  })
  await page.getByRole('button', { name: 'Išbandyti: corp' }).click()
  await page.getByText('redirect', { exact: true }).waitFor()
  t.same(await obstacles(page), [])
  t.ok(await page.evaluate('document.documentElement.scrollWidth <= window.innerWidth'))
  t.same(faults, [])
  await close()
})
