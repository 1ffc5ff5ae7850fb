import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { ThinClient } from '../../broker/api/thin-clients.js'
import { mustRun } from '../fleet/command.js'
import { startScreen, type Screen } from '../fleet/screen.js'
import { BerthOnFleet, SMALL } from '../support/berth-on-fleet.js'
import { logIn as logInAtPage, openWindow, startBrowser } from '../support/browser.js'
import { until } from '../support/until.js'
import { colourAt } from '../thin-client/x-display.js'
import { startAgent, untilShown } from './desk-agent.js'

t.setTimeout(900_000)
const PASSWORD = 'correct horse battery'
const pictures = mkdtempSync(join(tmpdir(), 'berth-people-'))
const berth = await BerthOnFleet.start({ hosts: 1, name: 'people' })
t.teardown(async () => {
  await berth.stop()
})
await berth.makeSource('golden', 'one')
await berth.api.done('/pools', {
  name: 'lab',
  from: 'golden',
  size: 2,
  ...SMALL,
  policy: { maxSession: 'PT10M' },
})
await berth.api.post('/users', { name: 'alice', password: PASSWORD })
await berth.api.put('/grants', {
  kind: 'pool',
  object: 'lab',
  subjectKind: 'user',
  subject: 'alice',
  verbs: ['start', 'accessConsole'],
})
const [a, b, own] = [
  await berth.fleet.addDesk(),
  await berth.fleet.addDesk(),
  await berth.fleet.addDesk(),
]
await berth.api.put('/clients-xml', {
  text: `<thin-clients><client mac="${own.mac}"><desktop-pool>lab</desktop-pool></client>
<default><protocol>LOGIN</protocol></default></thin-clients>`,
})
const [screenA, screenB] = [await startScreen(a), await startScreen(b)]

async function keys(screen: Screen, ...words: string[]): Promise<string> {
  return await mustRun(['env', `DISPLAY=${screen.display}`, 'xdotool', ...words])
}

/** Waits for the window that asks, and gives it the keyboard. */
async function loginWindow(screen: Screen, picture: string): Promise<void> {
  const window = await until(
    async () => await keys(screen, 'search', '--onlyvisible', '--name', '^Berth$'),
    { withinMs: 30_000, everyMs: 300, what: 'a window asks for a login' },
  )
  await until(
    async () => {
      await screen.screenshot(join(pictures, picture))
      return (
        Number(await mustRun(['convert', join(pictures, picture), '-format', '%k', 'info:'])) > 2
      )
    },
    { withinMs: 10_000, everyMs: 300, what: 'the window shows the form' },
  )
  await keys(screen, 'windowfocus', '--sync', window.trim().split('\n')[0] ?? '')
}

/** The text that the terminal at a desk shows: the whole of it is marked with the mouse. */
async function textAt(screen: Screen): Promise<string> {
  await keys(
    screen,
    'mousemove',
    '1',
    '1',
    'mousedown',
    '1',
    'mousemove',
    '1020',
    '760',
    'mouseup',
    '1',
  )
  return await mustRun([
    'timeout',
    '5',
    'env',
    `DISPLAY=${screen.display}`,
    'xclip',
    '-o',
    '-selection',
    'primary',
  ])
}

async function logIn(screen: Screen, picture: string): Promise<void> {
  await loginWindow(screen, picture)
  await keys(screen, 'type', '--delay', '20', 'alice')
  await keys(screen, 'key', 'Return')
  await keys(screen, 'type', '--delay', '20', PASSWORD)
  await keys(screen, 'key', 'Return')
}

const devices = async (): Promise<ThinClient[]> =>
  (await berth.api.get<{ thinClients: ThinClient[] }>('/thin-clients')).thinClients
const at = async (mac: string): Promise<ThinClient | undefined> =>
  (await devices()).find((one) => one.mac === mac)

t.test(
  'a person logs in at one desk, moves to another, and finds the same desktop; the first desk asks for a login',
  async (t) => {
    const [agentA, agentB] = [startAgent(berth, a, screenA), startAgent(berth, b, screenB)]
    t.teardown(async () => {
      await Promise.all([agentA.stop(), agentB.stop()])
    })
    await logIn(screenA, 'a-login.png')
    const { name = '' } = await untilShown(screenA, join(pictures, 'a-desktop.png'), {}, 90_000)
    t.match(name, /^lab-\d$/)
    await until(
      async () =>
        (await at(a.mac))?.person === 'alice' && (await berth.machine(name)).viewers.length > 0,
      { withinMs: 15_000, what: 'the list says who is logged in' },
    )
    await berth.inGuest(name, berth.host(1), '/bin/sh', ['-c', 'echo mine > /tmp/mine'])
    const argv = await mustRun([
      'bash',
      '-c',
      'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "',
    ])
    t.notOk(argv.includes(PASSWORD), 'no process list shows the password')

    await logIn(screenB, 'b-login.png')
    await untilShown(screenB, join(pictures, 'b-desktop.png'), { name }, 60_000)
    t.match(await berth.inGuest(name, berth.host(1), '/bin/cat', ['/tmp/mine']), 'mine')
    await until(() => /logged in at another thin client/.test(agentA.said), {
      withinMs: 30_000,
      what: 'the first desk says why',
    })
    await keys(screenA, 'search', '--sync', '--onlyvisible', '--name', '^Berth$')
    await screenA.screenshot(join(pictures, 'a-after.png'))
    t.match(
      [await at(a.mac), await at(b.mac)],
      [
        { person: null, state: 'login' },
        { person: 'alice', machine: name },
      ],
    )
    t.match((await berth.machine(name)).viewers, [b.address], 'one viewer, at the second desk')

    await until(
      async () => {
        await screenB.screenshot(join(pictures, 'b-notice.png'))
        const [red, green, blue] = await colourAt(join(pictures, 'b-notice.png'), 985, 40)
        return red === 255 && green === 165 && blue === 0
      },
      {
        withinMs: 100_000,
        everyMs: 500,
        what: 'the end of the longest session is announced over the viewer',
      },
    )
    t.match((await berth.machine(name)).viewers, [b.address], 'and the viewer stays')
    t.match(await at(a.mac), { state: 'login' }, 'the first desk did not take it back')
  },
)

t.test(
  'who logs in at a desk by the code on its screen confirms it on a phone, and finds the desktop there',
  async (t) => {
    const [held] = (await berth.api.get<{ desktops: Array<{ machine: string }> }>('/desktops'))
      .desktops
    const agent = startAgent(berth, a, screenA)
    const browser = await startBrowser()
    t.teardown(async () => {
      await browser.close()
      await agent.stop()
    })
    await loginWindow(screenA, 'code-form.png')
    await keys(screenA, 'key', 'Return')
    const code = await until(
      async () => /^ +([A-Z]{4}-[A-Z]{4})$/m.exec(await textAt(screenA))?.[1],
      { withinMs: 20_000, everyMs: 300, what: 'the desk shows a code' },
    )
    await screenA.screenshot(join(pictures, 'code.png'))
    const { page, faults } = await openWindow(browser, { phone: true })
    await logInAtPage(page, `${berth.broker.url}/device`, 'alice', PASSWORD)
    await page.getByLabel('Code').fill(code)
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByText(a.mac).waitFor()
    t.match(await at(a.mac), { person: null }, 'nobody is logged in before it is confirmed')
    await page.getByRole('button', { name: 'Log me in there' }).click()
    await page.getByText('You are logged in').waitFor()
    t.match(await untilShown(screenA, join(pictures, 'code-desktop.png'), {}, 60_000), {
      name: held?.machine,
    })
    t.match(await at(a.mac), { person: 'alice' })
    t.same(faults, [])
  },
)

t.test('a desk whose clients.xml names a pool gets a machine of it', async (t) => {
  const screen = await startScreen(own)
  const agent = startAgent(berth, own, screen)
  const { name } = await untilShown(screen, join(pictures, 'own.png'), {}, 90_000)
  t.match(name, /^lab-\d$/)
  await agent.stop()
  t.comment(`pictures: ${pictures}`)
})
