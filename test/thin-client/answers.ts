import type { AskAnswer } from '../../broker/api/thin-clients.js'

export const TICKET = 'ticket-7f3c9a51d2e84b60'
export const DEVICE_KEY = '0123456789abcdef'.repeat(4)

/** An answer that changes nothing: the device waits. */
export function waiting(more: Partial<AskAnswer> = {}): AskAnswer {
  return {
    state: 'waiting',
    sentence: 'The machine pc-01 is being populated.',
    askAgainMs: 0,
    mark: 'm1',
    device: 'd1',
    brokerTimeMs: Date.now(),
    ...more,
  }
}

export const SPICE = {
  protocol: 'spice',
  host: '127.0.0.1',
  tlsPort: 5901,
  password: TICKET,
  ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
  hostSubject: 'O=Berth,CN=hv1',
  title: 'pc-01',
  ticketSeconds: 30,
} as const
export const RDP = { protocol: 'rdp', address: '127.0.0.1:3389', title: 'Office' } as const
export const HORIZON = {
  protocol: 'horizon',
  server: 'horizon.example',
  desktopPool: 'Sales desk',
  title: 'Sales',
} as const

export function ready(more: Partial<AskAnswer> = {}): AskAnswer {
  return waiting({ state: 'ready', sentence: 'Showing pc-01.', console: SPICE, ...more })
}
