import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Authority } from '../../broker/certificates/authority.js'
import type { Console } from '../../broker/api/thin-clients.js'
import { type Qmp, connectQmp } from './qmp.js'
import { startFor } from './x-display.js'
import { freePort } from '../support/free-port.js'

/** Video mode 13h (320x200, 256 colours), then every point in colour 2: the guest is one green picture (0, 170, 0). */
const GREEN_PROGRAM = Buffer.from('b81300cd106800a00731ffb900fab002f3aaebfe', 'hex')

export interface SpiceMachine {
  readonly qmp: Qmp
  /** A console with a ticket of one's choice; QEMU knows the right one. */
  readonly console: (ticket: string) => Extract<Console, { protocol: 'spice' }>
  /** How many channels of viewers are connected now. */
  readonly channels: () => Promise<number>
}

/** A real QEMU whose only display is SPICE over TLS, with certificates as the broker makes them. */
export async function startSpiceMachine(
  t: Test,
  directory: string,
  ticket: string,
  address = '127.0.0.1',
): Promise<SpiceMachine> {
  const authority = await Authority.open(directory)
  const pair = await authority.issueServer(['hv1', address])
  const write = (name: string, text: string | Buffer): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
    return join(directory, name)
  }
  write('ca-cert.pem', `${authority.certificate}\n`)
  write('server-cert.pem', pair.certificate)
  write('server-key.pem', pair.key)
  const disk = write(
    'disk.raw',
    Buffer.concat([
      GREEN_PROGRAM,
      Buffer.alloc(510 - GREEN_PROGRAM.length),
      Buffer.from([0x55, 0xaa]),
    ]),
  )
  const tlsPort = await freePort()
  const monitor = join(directory, 'qmp')
  startFor(t, 'qemu-system-x86_64', [
    '-machine',
    'pc,accel=tcg',
    '-m',
    '64',
    '-display',
    'none',
    '-nodefaults',
    '-vga',
    'qxl',
    '-drive',
    `file=${disk},format=raw,if=ide`,
    '-object',
    `secret,id=ticket,file=${write('ticket', ticket)}`,
    '-spice',
    `tls-port=${tlsPort},addr=${address},x509-dir=${directory},password-secret=ticket`,
    '-qmp',
    `unix:${monitor},server=on,wait=off`,
  ])
  const qmp = await connectQmp(monitor)
  t.teardown(() => qmp.close())
  return {
    qmp,
    console: (password) => ({
      protocol: 'spice',
      host: address,
      tlsPort,
      password,
      ca: authority.certificate,
      hostSubject: 'CN=hv1',
      title: 'green',
      ticketSeconds: 30,
    }),
    channels: async () =>
      ((await qmp.execute('query-spice')) as { channels?: unknown[] }).channels?.length ?? 0,
  }
}
