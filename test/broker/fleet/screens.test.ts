import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Screen, SCREEN_CLOSES, type Session } from '../../../broker/api/consoles.js'
import { mustRun } from '../../fleet/command.js'
import { readGuestScreen } from '../../fleet/guest-image.js'
import { openHelper } from '../../hypervisor-scripts/prepared-host.js'
import { BerthOnFleet } from '../../support/berth-on-fleet.js'
import { type OpenScreen, openScreen, type RfbClient } from '../../support/rfb-client.js'
import { until } from '../../support/until.js'

t.setTimeout(900_000)
const berth = await BerthOnFleet.start({ hosts: 1, name: 'screens' })
const pictures = mkdtempSync(join(tmpdir(), 'berth-pictures-'))
t.teardown(async () => {
  await berth.stop()
  rmSync(pictures, { recursive: true })
})
const hv1 = berth.host(1)
await berth.makeSource('pc', 'one')
await berth.power('pc', 'start')
await berth.screenOf('pc', { name: 'pc' })

const ask = async (body: object = {}): Promise<Screen> =>
  await berth.api.post<Screen>('/machines/pc/screen', body)
async function open(body: object = {}): Promise<OpenScreen> {
  const { ticket } = await ask(body)
  const screen = await openScreen(
    {
      url: `https://${berth.fleet.gateway}:${berth.broker.port}`,
      ca: berth.broker.ca,
      machine: 'pc',
      headers: { authorization: `Bearer ${berth.api.token ?? ''}` },
    },
    ticket,
  )
  await screen.viewer.begin()
  return screen
}
const sessions = async (): Promise<Session[]> =>
  (await berth.api.get<{ sessions: Session[] }>('/sessions')).sessions
async function look(viewer: RfbClient): Promise<string> {
  await viewer.frame()
  const file = join(pictures, 'screen')
  writeFileSync(`${file}.ppm`, viewer.picture())
  await mustRun(['convert', `${file}.ppm`, `${file}.png`])
  return `${file}.png`
}
/** A picture of the row in which the guest shows the keys that are typed; the same keys give the same picture. */
async function keysRow(viewer: RfbClient): Promise<string> {
  const png = await look(viewer)
  return await mustRun([
    'convert',
    png,
    '-gravity',
    'south',
    '-crop',
    `x${Math.round(viewer.height / 25)}+0+0`,
    '+repage',
    '-depth',
    '8',
    'txt:-',
  ])
}

const BACKSPACE = 0xff08
function erase(viewer: RfbClient, text: string): void {
  for (const _ of text) viewer.key(BACKSPACE)
}

t.test(
  "the guest's own text is seen in the browser's way, and keys typed are shown by the guest",
  async (t) => {
    const { viewer, webSocket } = await open()
    t.match(await readGuestScreen(await look(viewer)), { name: 'pc', generation: 'one' })
    const empty = await keysRow(viewer)
    viewer.type('hello')
    const hello = await until(
      async () => {
        const row = await keysRow(viewer)
        return row === empty ? null : row
      },
      { withinMs: 20_000, everyMs: 200, what: 'the guest shows the keys' },
    )
    erase(viewer, 'hello')
    await until(async () => (await keysRow(viewer)) === empty, {
      withinMs: 20_000,
      everyMs: 200,
      what: 'the row is empty again',
    })
    viewer.type('other')
    await until(async () => ![empty, hello].includes(await keysRow(viewer)), {
      withinMs: 20_000,
      everyMs: 200,
      what: 'other keys look otherwise',
    })
    erase(viewer, 'other')
    t.match(await sessions(), [
      { machine: 'pc', protocol: 'vnc', via: 'browser', holder: { name: 'admin' } },
    ])
    t.match(
      await berth.machine('pc'),
      { viewers: [berth.fleet.gateway] },
      "QEMU's own word for it, the broker's connection, is not counted beside it",
    )
    await watcherTypesNothing(t, viewer, empty)
    webSocket.close()
    await until(async () => (await sessions()).length === 0, {
      withinMs: 10_000,
      what: 'nobody is connected',
    })
  },
)

async function watcherTypesNothing(t: Test, viewer: RfbClient, empty: string): Promise<void> {
  await t.test('who only looks sees the same, and his keys do not arrive', async (t) => {
    await until(async () => (await keysRow(viewer)) === empty, {
      withinMs: 20_000,
      everyMs: 200,
      what: 'the row is empty',
    })
    const watching = await open({ watch: true })
    t.match(await readGuestScreen(await look(watching.viewer)), { name: 'pc' })
    watching.viewer.type('nothing')
    viewer.type('z')
    await until(async () => (await keysRow(viewer)) !== empty, {
      withinMs: 20_000,
      everyMs: 200,
      what: 'a key of the one who has it',
    })
    const one = await keysRow(viewer)
    t.equal(await keysRow(watching.viewer), one)
    erase(viewer, 'z')
    viewer.type('z')
    await until(async () => (await keysRow(viewer)) === one, {
      withinMs: 20_000,
      everyMs: 200,
      what: 'the same key, alone, looks the same: nothing else was typed',
    })
    watching.webSocket.close()
  })
}

t.test(
  "the host lets the broker's account in once, to the display of a domain's own QEMU, and to nothing else",
  async (t) => {
    const line = await openHelper(hv1, null)
    const account = (script: string): Promise<string> =>
      hv1.mustRun(['runuser', '-u', 'berth', '--', 'bash', '-c', script])
    const connect = (path: string): string =>
      "python3 -c 'import socket, sys; s = socket.socket(socket.AF_UNIX); s.settimeout(5); " +
      `s.connect(sys.argv[1]); print(s.recv(12).decode().strip())' ${path}`
    const refusal = async (user: string, socket: string): Promise<string> => {
      const script = ['runuser', '-u', user, '--', 'bash', '-c', connect(socket)]
      const { code, stderr } = await hv1.run(script)
      return code === 0 ? 'let in' : stderr
    }
    const { path } = (await line.must('display_open', { domain: 'pc' })) as { path: string }
    t.match(path, /^\/run\/berth\/displays\/[0-9a-f]{32}$/)
    t.equal((await hv1.mustRun(['stat', '-c', '%U %a', path])).trim(), 'berth 700')
    t.match(
      await account('! ls /run/berth/displays 2>&1'),
      /Permission denied/,
      'names cannot be looked up',
    )
    t.match(await refusal('nobody', path), /PermissionError/, 'another account does not come in')
    t.equal((await account(connect(path))).trim(), 'RFB 003.008')
    t.match(await refusal('berth', path), /FileNotFoundError/, 'a second time')
    const own = (
      await hv1.mustRun([
        'bash',
        '-c',
        'virsh dumpxml pc | sed -n "s/.*socket=.\\([^\'\\"]*vnc.sock\\).*/\\1/p" | head -1',
      ])
    ).trim()
    t.match(await refusal('berth', own), /PermissionError/, "the display's own socket stays closed")
    t.equal(await line.refusal('display_open', { domain: 'none' }), 'not_found')
    t.equal(await line.refusal('display_open', { domain: '../pc' }), 'bad_name')
    // A definition may name any socket: here somebody else listens where the display was.
    await hv1.mustRun(['bash', '-c', `mv ${own} ${own}.away`])
    const other = hv1.spawnInside([
      'python3',
      '-c',
      'import socket, time; s = socket.socket(socket.AF_UNIX); ' +
        `s.bind(${JSON.stringify(own)}); s.listen(); time.sleep(60)`,
    ])
    await until(async () => (await hv1.run(['test', '-S', own])).code === 0, {
      withinMs: 5_000,
      what: 'somebody else listens',
    })
    t.equal(await line.refusal('display_open', { domain: 'pc' }), 'libvirt')
    other.kill('SIGKILL')
    await hv1.mustRun(['mv', '-f', `${own}.away`, own])
    const last = (await line.must('display_open', { domain: 'pc' })) as { path: string }
    t.equal((await account(connect(last.path))).trim(), 'RFB 003.008')
    await line.end()
  },
)

t.test('a small picture of a screen, as libvirt takes it', async (t) => {
  const line = await openHelper(hv1, null)
  const { png } = (await line.must('display_picture', { domain: 'pc' })) as { png: string }
  const bytes = Buffer.from(png, 'base64')
  t.equal(bytes.subarray(0, 8).toString('latin1'), '\x89PNG\r\n\x1a\n')
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)]
  t.ok(width > 100 && height > 50, `${width}x${height}`)
  t.equal(await line.refusal('display_picture', { domain: 'none' }), 'not_found')
  t.equal(await line.refusal('display_picture', { domain: 'pc; destroy pc' }), 'bad_name')
  await line.end()
})

t.test(
  "it ends when it is opened elsewhere, with the host's line and with the power, each time with its reason",
  async (t) => {
    const first = await open()
    const second = await open()
    t.match(await first.closed, { code: SCREEN_CLOSES.taken.code })
    await until(async () => (await sessions()).length === 1, { withinMs: 10_000, what: 'one seat' })
    await second.viewer.frame()
    await hv1.cut()
    t.match(await second.closed, { code: SCREEN_CLOSES.hostAway.code, reason: /hv1/ })
    await hv1.heal()
    await berth.untilHypervisor('hv1', 'up')
    await berth.untilPower('pc', 'running')
    const third = await open()
    await third.viewer.frame()
    await berth.power('pc', 'poweroff')
    t.match(await third.closed, { code: SCREEN_CLOSES.machineOff.code })
    await t.rejects(ask(), { code: 'machine_off' })
    t.equal((await hv1.mustRun(['ls', '/run/berth/displays'])).trim(), '', 'no socket is left')
  },
)
