import { test, type Test } from 'tap'
import { DEFAULT_VIEWER_OPTIONS as DEFAULTS } from '../../broker/api/thin-clients.js'
import { chooseDisplay, MissingProgram, placeViewer } from '../../thin-client/display.js'
import { viewerCommand, type ViewerCommand } from '../../thin-client/viewers/command.js'
import { X_SESSION } from '../../thin-client/x-session.js'
import { HORIZON, RDP, SPICE, TICKET } from './answers.js'

const everything = (name: string): string => (name.startsWith('/') ? name : `/usr/bin/${name}`)
const but =
  (...missing: string[]) =>
  (name: string): string | undefined =>
    missing.includes(name) ? undefined : everything(name)

test('SPICE: the configuration goes to standard input, nothing secret to the arguments', async (t) => {
  const command = viewerCommand(SPICE, DEFAULTS, {})
  t.strictSame(
    [command.program, ...command.args],
    ['remote-viewer', '--kiosk', '--kiosk-quit=on-disconnect', '--full-screen', '-'],
  )
  t.equal(
    command.input,
    [
      '[virt-viewer]',
      'type=spice',
      'host=127.0.0.1',
      'tls-port=5901',
      `password=${TICKET}`,
      'ca=-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n',
      'host-subject=O=Berth,CN=hv1',
      'title=pc-01',
      'secure-channels=all',
      'fullscreen=1',
      'enable-usbredir=1',
      'enable-usb-autoshare=0',
      '',
    ].join('\n'),
  )
  t.strictSame(command.secrets, [TICKET])
  const plain = viewerCommand(
    { ...SPICE, title: ' a\\b' },
    { ...DEFAULTS, fullScreen: false, audio: false, usbAutoShare: true },
    {},
  )
  t.strictSame(plain.args, ['--spice-disable-audio', '-'])
  t.match(
    plain.input,
    /\ntitle=\\sa\\\\b\n.*\nfullscreen=0\nenable-usbredir=1\nenable-usb-autoshare=1\n/s,
  )
})

test(
  'SPICE through the console proxy: the file names it, the connection to it is what counts, ' +
    'and the token is a secret',
  async (t) => {
    const command = viewerCommand(
      {
        ...SPICE,
        host: 'token.berth.invalid',
        proxy: 'http://broker.example.org:8444',
        usb: false,
      },
      DEFAULTS,
      {},
    )
    t.match(
      command.input,
      /\nhost=token\.berth\.invalid\n.*\nproxy=http:\/\/broker\.example\.org:8444\n/s,
    )
    t.match(command.input, /\nproxy=.*\nenable-usbredir=0\nenable-usb-autoshare=0\n/s)
    t.equal(command.expectConnection?.port, 8444)
    t.ok(command.secrets.includes('token.berth.invalid'))
  },
)

test('RDP', async (t) => {
  const whole = [
    '/v:127.0.0.1:3389',
    '/u:',
    '/cert:tofu',
    '/t:Office',
    '/log-level:WARN',
    '+clipboard',
  ]
  t.strictSame(viewerCommand(RDP, DEFAULTS, {}), {
    program: 'xfreerdp',
    args: [...whole, '/f', '/sound'],
    input: undefined,
    secrets: [],
    expectConnection: undefined,
  })
  const other = {
    fullScreen: false,
    multiMonitor: true,
    usbAutoShare: true,
    audio: false,
    resolution: '1920x1080',
  }
  t.strictSame(viewerCommand(RDP, other, { rdpArguments: ['/sec:tls'] }).args, [
    ...whole,
    '/size:1920x1080',
    '/multimon',
    '/drive:hotplug,*',
    '/sec:tls',
  ])
  t.strictSame(
    viewerCommand({ ...RDP, clipboard: false, drives: false }, other, {}).args,
    [...whole.slice(0, -1), '-clipboard', '/size:1920x1080', '/multimon'],
    'what a pool forbids',
  )
})

test("Horizon: the default and a command of one's own", async (t) => {
  const command = viewerCommand(HORIZON, DEFAULTS, {})
  t.strictSame(
    [command.program, ...command.args],
    [
      'vmware-view',
      '-s',
      'horizon.example',
      '--fullscreen',
      '-q',
      '--desktopName',
      'Sales desk',
      '--once',
      '--protocol=PCOIP',
    ],
  )
  t.strictSame(
    viewerCommand({ ...HORIZON, desktopPool: '{server} $(reboot)' }, DEFAULTS, {
      horizonCommand: ['view', 'https://{server}/', '{pool}'],
    }).args,
    ['https://horizon.example/', '{server} $(reboot)'],
  )
})

test('which display', async (t) => {
  t.equal(chooseDisplay('auto', { DISPLAY: ':0' }, everything), 'existing')
  t.equal(chooseDisplay('auto', { WAYLAND_DISPLAY: 'wayland-1' }, everything), 'existing')
  t.equal(chooseDisplay('auto', {}, everything), 'x')
  t.equal(chooseDisplay('auto', {}, but('xinit')), 'wayland')
  t.equal(chooseDisplay('wayland', { DISPLAY: ':0' }, everything), 'wayland')
  t.throws(
    () => chooseDisplay('auto', {}, but('xinit', 'cage')),
    new MissingProgram('There is no display: install xinit and an X server, or cage.'),
  )
  t.throws(() => chooseDisplay('existing', {}, everything), MissingProgram)
})

const PLACE = { display: ':3', vt: 7, authorityFile: '/run/a', command: undefined }

test('the viewer is placed into each display', async (t) => {
  const viewer = viewerCommand(HORIZON, DEFAULTS, { horizonCommand: ['view', '{pool}'] })
  const find = but('setpriv')
  t.strictSame(placeViewer(viewer, 'existing', DEFAULTS, find, undefined), {
    program: '/usr/bin/view',
    args: ['Sales desk'],
    environment: {},
    exitCodeOn3: false,
    ownSession: true,
  })
  t.match(placeViewer(viewer, 'wayland', DEFAULTS, find, undefined), {
    program: '/usr/bin/cage',
    args: ['--', '/bin/sh', '-c', String, 'berth-wayland-session', '/usr/bin/view', 'Sales desk'],
    exitCodeOn3: true,
  })
  inAnXServer(t, viewer, find)
  const own = placeViewer(
    viewer,
    'x',
    { ...DEFAULTS, multiMonitor: true, resolution: '1280x800' },
    find,
    { ...PLACE, vt: undefined, command: ['/opt/Xfoo', '{display}', '{vt}', '-x'] },
  )
  t.strictSame(own.args.slice(4, 6), ['1280x800', 'all'])
  t.strictSame(own.args.slice(-5), ['/opt/Xfoo', ':3', '-x', '-auth', '/run/a'])
  t.strictSame(placeViewer(viewer, 'existing', DEFAULTS, everything, undefined).args, [
    '--pdeathsig',
    'TERM',
    '--',
    '/usr/bin/view',
    'Sales desk',
  ])
  t.throws(
    () => placeViewer(viewer, 'existing', DEFAULTS, but('view'), undefined),
    new MissingProgram('This device cannot show the desktop: the program view is not installed.'),
  )
  t.throws(() => placeViewer(viewer, 'wayland', DEFAULTS, but('cage'), undefined), MissingProgram)
})

function inAnXServer(t: Test, viewer: ViewerCommand, find: (name: string) => string | undefined) {
  t.strictSame(placeViewer(viewer, 'x', DEFAULTS, find, PLACE), {
    program: '/usr/bin/xinit',
    environment: { XAUTHORITY: '/run/a' },
    exitCodeOn3: true,
    ownSession: false,
    args: [
      '/bin/sh',
      '-c',
      X_SESSION,
      'berth-x-session',
      '-',
      'one',
      '/usr/bin/view',
      'Sales desk',
      '--',
      '/usr/bin/Xorg',
      ':3',
      'vt7',
      '-nolisten',
      'tcp',
      '-keeptty',
      '-auth',
      '/run/a',
    ],
  })
}
