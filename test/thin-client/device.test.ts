import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { retryAfter } from '../../thin-client/broker-client.js'
import { macsOf } from '../../thin-client/device.js'
import { logTo } from '../../thin-client/log.js'
import { hasMark } from '../../thin-client/marked-processes.js'
import { pageOf, screenOn } from '../../thin-client/screen.js'
import { readState, writeState } from '../../thin-client/state-directory.js'
import { judgeConnection, seeConnection } from '../../thin-client/viewer-connection.js'
import { authorityEntry, virtualTerminal } from '../../thin-client/x-server-place.js'
import { DEVICE_KEY } from './answers.js'

test('the MACs of the device', async (t) => {
  const at = (name: string, mac: string, physical = false) => ({ name, mac, physical })
  t.strictSame(
    macsOf([
      at('wlan0', '02:00:00:00:00:0B', true),
      at('docker0', '02:00:00:00:00:01'),
      at('eth0', '02:00:00:00:00:0A', true),
      at('lo', '00:00:00:00:00:00'),
    ]),
    ['02:00:00:00:00:0a', '02:00:00:00:00:0b'],
  )
  t.strictSame(macsOf([at('desk', '02:00:00:00:00:02'), at('virbr0', '02:00:00:00:00:01')]), [
    '02:00:00:00:00:02',
  ])
  t.strictSame(macsOf([at('veth1', '02:00:00:00:00:03')]), ['02:00:00:00:00:03'])
  t.strictSame(macsOf([at('br0', '02:00:00:00:00:03'), at('eth0', '02:00:00:00:00:03')]), [
    '02:00:00:00:00:03',
  ])
  t.strictSame(macsOf([at('lo', '00:00:00:00:00:00')]), [])
})

test('the state directory', async (t) => {
  const directory = join(t.testdir(), 'state')
  t.equal(readState(directory, 'device-key'), undefined)
  writeState(directory, 'device-key', DEVICE_KEY)
  t.equal(readState(directory, 'device-key'), DEVICE_KEY)
  t.equal(statSync(join(directory, 'device-key')).mode & 0o777, 0o600)
  t.equal(statSync(directory).mode & 0o777, 0o700)
  t.strictSame(readdirSync(directory), ['device-key'], 'nothing half-made stays')
  writeFileSync(join(directory, 'device-key'), 'spoilt')
  t.equal(readState(directory, 'device-key'), undefined)
  mkdirSync(join(directory, 'ca'))
  t.throws(() => readState(directory, 'ca'))
  t.match(readFileSync(join(directory, 'device-key'), 'utf8'), 'spoilt')
})

test('the screen: a page for a terminal, lines elsewhere, and no control characters of others', async (t) => {
  const facts = {
    device: 'desk-1',
    macs: ['02:00:00:00:00:0a'],
    broker: 'b:8443',
    trust: 'CA sha256:12 (set)',
  }
  const clear = '\u001b[2J\u001b[H\u001b[?25l'
  const page = pageOf('Wait\u001b[2J\nplease', facts, 0)
  t.ok(page.startsWith(clear))
  t.match(
    page.slice(clear.length),
    /^[^\u001b]*Wait \[2J please[^\u001b]*Since [0-9:]{8}\.[^\u001b]*desk-1 {2}02:00/,
  )
  t.match(page.slice(clear.length), /02:00[^\u001b]*b:8443[^\u001b]*CA sha256:12[^\u001b]*$/)
  const lines: string[] = []
  const screen = screenOn((text) => lines.push(text), false)
  screen.show('One.', facts, 0)
  screen.show('One.', facts, 60_000)
  screen.show('Two.', facts, 60_000)
  t.match(lines, [/CA sha256/, /One\./, /Two\./])
  t.equal(lines.length, 3)
  const pages: string[] = []
  const terminal = screenOn((text) => pages.push(text), true)
  terminal.show('One.', facts, 0)
  terminal.show('One.', facts, 3_600_000)
  terminal.show('One.', { ...facts, broker: 'c:8443' }, 3_600_000)
  t.equal(pages.length, 2)
  t.equal(
    /Since \S+/.exec(pages[0] ?? '')?.[0],
    /Since \S+/.exec(pages[1] ?? '')?.[0],
    'the same sentence keeps its time',
  )
})

test('log lines', async (t) => {
  const lines: string[] = []
  logTo((line) => lines.push(line), true)('warning', 'a\nb')
  logTo((line) => lines.push(line), false)('warning', 'a')
  t.strictSame(lines, ['<4>a b\n', 'warning: a\n'])
})

test('Retry-After in seconds and as a date', async (t) => {
  const nowMs = Date.parse('2026-01-01T00:00:00Z')
  const cases: Array<[string | undefined, number | null]> = [
    ['7', 7000],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 23:00:00 GMT', null],
    ['soon', null],
    [undefined, null],
    ['999999999', 600_000],
    ['0', null],
  ]
  for (const [header, waitMs] of cases) t.equal(retryAfter(header, nowMs), waitMs, header ?? 'none')
})

test('what the kernel says of processes and connections', async (t) => {
  t.equal(hasMark('A=1\0BERTH_VIEWER=x-1\0B=2\0', 'x-1'), true)
  t.equal(hasMark('A=BERTH_VIEWER=x-1\0BERTH_VIEWER=x-12\0', 'x-1'), false)
  const table =
    '  sl  local_address rem_address   st\n   0: 0100007F:170D 00000000:0000 0A 0\n   1: ' +
    '0100007F:9C40 0100007F:170D 01 0\n   2: 0100007F:9C41 0100007F:170E 02 0\n'
  t.equal(seeConnection(0x170d, [table]), 'open')
  t.equal(seeConnection(0x170e, [table]), 'open', 'still connecting')
  t.equal(seeConnection(0x170f, [table, '   0: 0100007F:9C40 0100007F:170F 08 0']), 'over')
  t.equal(seeConnection(0x9c40, [table]), 'none', 'the near end')
  t.equal(seeConnection(1, []), 'none')
})

test('when a viewer counts as disconnected', async (t) => {
  const expected = { port: 5901, firstWithinMs: 30_000 }
  const never = { met: false, lastMs: 0 }
  const had = { met: true, lastMs: 0 }
  t.strictSame(judgeConnection(never, 'none', expected, 29_000), never)
  t.equal(
    judgeConnection(never, 'none', expected, 30_001),
    'had no connection to the desktop (port 5901) for 30 s and was ended',
  )
  t.strictSame(judgeConnection(never, 'open', expected, 31_000), { met: true, lastMs: 31_000 })
  t.strictSame(
    judgeConnection(never, 'over', expected, 5000),
    { met: true, lastMs: 5000 },
    'refused: from now on the short time counts',
  )
  t.strictSame(judgeConnection(had, 'over', expected, 9000), had)
  t.match(judgeConnection(had, 'none', expected, 10_001), /for 10 s and was ended/)
})

test("the X server's place", async (t) => {
  t.equal(
    authorityEntry(3, Buffer.from('0123456789abcdef')).toString('latin1'),
    '\u00ff\u00ff\u0000\u0000\u0000\u00013\u0000\u0012MIT-MAGIC-COOKIE-1\u0000\u00100123456789abcdef',
  )
  t.equal(virtualTerminal('7', '/dev/tty1'), 7)
  t.equal(virtualTerminal(undefined, '/dev/tty1'), 1)
  t.equal(virtualTerminal('0', '/dev/pts/3'), undefined)
})
