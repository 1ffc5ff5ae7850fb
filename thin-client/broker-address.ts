export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

export const DEFAULT_PORT = 8443

/** Takes HOST, HOST:PORT, an IPv6 address bare or as [ADDRESS]:PORT; gives undefined for anything else. */
export function parseBrokerAddress(text: string): BrokerAddress | undefined {
  const bracketed = /^\[([0-9a-fA-F:.]+)\](?::([0-9]{1,5}))?$/.exec(text)
  const named = /^([A-Za-z0-9][A-Za-z0-9._-]{0,252})(?::([0-9]{1,5}))?$/.exec(text)
  const bare = /^([0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F.]*)$/.exec(text)
  const [, host, port] = bracketed ?? named ?? bare ?? []
  if (host === undefined) return undefined
  const number = port === undefined ? DEFAULT_PORT : Number(port)
  return number >= 1 && number <= 65535 ? { host, port: number } : undefined
}

export function formatBrokerAddress({ host, port }: BrokerAddress): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

export interface SrvRecord {
  readonly name: string
  readonly port: number
  readonly priority: number
  readonly weight: number
}

/**
 * The order in which to try the targets of a DNS SRV answer (RFC 2782): lowest priority number
 * first, within one priority drawn by weight. `random` gives numbers in [0, 1).
 */
export function orderSrvRecords(
  records: readonly SrvRecord[],
  random: () => number,
): BrokerAddress[] {
  const drawn = records.map((record) => ({
    record,
    draw: random() ** (1 / Math.max(record.weight, 0.01)),
  }))
  drawn.sort((a, b) => a.record.priority - b.record.priority || b.draw - a.draw)
  return drawn.map(({ record }) => ({ host: record.name.replace(/\.$/, ''), port: record.port }))
}

/** The search domains of a resolv.conf text; as resolv.conf(5) says, the last `search` or `domain` line counts. */
export function searchDomains(resolvConf: string): string[] {
  const lines = resolvConf
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([key]) => key === 'search' || key === 'domain')
  return (lines.at(-1)?.slice(1) ?? []).filter((domain) => domain !== '.')
}
