import type { HypervisorRow } from '../store/tables.js'
import { faultsOr, type Judgement, type Said, says } from './finding.js'

/** What the helper's looks answer (hypervisor-scripts/helper/host_look.py, account_look.py). */
export interface SshdLook {
  readonly settings: Readonly<Record<string, string>>
}
export interface AccountLook {
  readonly groups: readonly string[] | null
  readonly rule_is_ours: boolean
  /** As in "440 0:0"; null without the file. */
  readonly rule_mode: string | null
  readonly commands: readonly string[]
  readonly keys: ReadonlyArray<{ readonly restricted: boolean; readonly forced: boolean }>
}
export interface NetworksLook {
  readonly networks: ReadonlyArray<{
    readonly name: string
    readonly active: boolean
    readonly autostart: boolean
  }>
  readonly bridges: ReadonlyArray<{
    readonly name: string
    readonly up: boolean
    /** net.ipv4.conf: 1 refuses senders whose address is elsewhere; absent from an older helper. */
    readonly rp_filter?: number
  }>
}
export interface ProgramsLook {
  readonly qemu_img: string | null
  readonly qemu: string | null
}

/** Helper, and a carried image or two beside it; sshd's own default is 10. */
const SESSIONS_NEEDED = 4
const STARTS_NEEDED = 3
const ALLOWS = new Set(['yes', 'all', 'local'])
const RULE_MODE = '440 0:0'
const CLOCK_OFF_S = 2
/** Beyond it a log of both cannot be read together, and certificates of a day may fail. */
const CLOCK_FAR_S = 300
/** Debian 12's. */
const LIBVIRT_NEEDED = '9.0.0'

export function judgeHelper(found: string, own: string | null): Judgement {
  return own === null || found === own
    ? says(found, { code: 'helper-same' })
    : says(found, { code: 'helper-other', values: { found, own } })
}

export function judgeSshd({ settings }: SshdLook): Judgement {
  const forwards = (['allowtcpforwarding', 'allowstreamlocalforwarding'] as const).filter(
    (name) => !ALLOWS.has(settings[name] ?? 'yes'),
  )
  const names = {
    allowtcpforwarding: 'AllowTcpForwarding',
    allowstreamlocalforwarding: 'AllowStreamLocalForwarding',
  }
  const sessions = Number(settings['maxsessions'] ?? 10)
  const starts = Number((settings['maxstartups'] ?? '10').split(':')[0])
  const faults: Said[] = [
    ...forwards.map((name): Said => ({
      code: 'sshd-no-forwarding',
      values: { setting: names[name] },
    })),
    ...(settings['disableforwarding'] === 'yes'
      ? [
          {
            code: 'sshd-no-forwarding',
            values: { setting: 'all forwarding (DisableForwarding)' },
          } as const,
        ]
      : []),
    ...(sessions < SESSIONS_NEEDED
      ? [{ code: 'sshd-few-sessions', values: { count: sessions } } as const]
      : []),
    ...(starts < STARTS_NEEDED
      ? [{ code: 'sshd-few-starts', values: { count: starts } } as const]
      : []),
  ]
  return faultsOr(
    faults,
    { code: 'sshd-room' },
    `MaxSessions ${sessions}, MaxStartups ${settings['maxstartups'] ?? '–'}`,
  )
}

export function judgeAccount(
  { groups, rule_is_ours: isOurs, rule_mode: mode, commands, keys }: AccountLook,
  name: string,
): Judgement {
  if (groups === null) return says('', { code: 'account-missing', values: { name } })
  const more = groups.filter((group) => group !== 'libvirt')
  const open = keys.filter((key) => !key.restricted || !key.forced).length
  const faults: Said[] = [
    ...(groups.includes('libvirt') ? [] : [{ code: 'account-not-libvirt' } as const]),
    ...(more.length === 0
      ? []
      : [{ code: 'account-more-groups', values: { groups: more.join(', ') } } as const]),
    ...(isOurs && mode === RULE_MODE
      ? []
      : [{ code: 'account-other-rule', values: { name } } as const]),
    ...(commands.length <= 1
      ? []
      : [{ code: 'account-more-commands', values: { count: commands.length } } as const]),
    ...(open === 0 ? [] : [{ code: 'account-open-key', values: { count: open } } as const]),
    ...(keys.length - open <= 1
      ? []
      : [{ code: 'account-more-keys', values: { count: keys.length } } as const]),
  ]
  return faultsOr(faults, { code: 'account-exact' }, groups.join(', '))
}

/** `askedMs` and `answeredMs` by the broker's clock, around the host's own. */
export function judgeClock(hostMs: number, askedMs: number, answeredMs: number): Judgement {
  const offS = (hostMs - (askedMs + answeredMs) / 2) / 1000
  const away = Math.abs(offS)
  const measured = `${offS < 0 ? '−' : '+'}${away.toFixed(away < 10 ? 2 : 0)} s`
  if (away <= CLOCK_OFF_S) return says(measured, { code: 'clock-right' })
  return says(measured, {
    code: away > CLOCK_FAR_S ? 'clock-far' : 'clock-off',
    values: { seconds: Math.round(away) },
  })
}

/** `lineFault`: why libvirt does not answer to the broker, though it does on the host. */
export function judgeLibvirt(
  { libvirt, qemu }: { libvirt: string | null; qemu: string | null },
  lineFault: string | null,
): Judgement {
  const measured = `libvirt ${libvirt ?? '–'}, QEMU ${qemu ?? '–'}`
  const faults: Said[] = [
    ...(lineFault === null
      ? []
      : [{ code: 'libvirt-unreached', values: { reason: lineFault } } as const]),
    ...(libvirt === null || !isOlder(libvirt, LIBVIRT_NEEDED)
      ? []
      : [{ code: 'libvirt-old', values: { found: libvirt, needed: LIBVIRT_NEEDED } } as const]),
  ]
  return faultsOr(faults, { code: 'libvirt-answers' }, measured)
}

function isOlder(found: string, needed: string): boolean {
  const [a, b] = [found, needed].map((text) => text.split('.').map(Number))
  for (const [index, part] of (b ?? []).entries()) {
    const own = a?.[index] ?? 0
    if (own !== part) return own < part // one that is no number is never older
  }
  return false
}

export function judgePrograms({ qemu_img: image, qemu }: ProgramsLook): Judgement {
  const missing = [...(image === null ? ['qemu-img'] : []), ...(qemu === null ? ['QEMU'] : [])]
  return missing.length > 0
    ? says('', { code: 'programs-missing', values: { missing: missing.join(', ') } })
    : says(qemu ?? '', { code: 'programs-there' })
}

export function judgeVirtualisation(
  found: 'kvm' | 'qemu',
  reason: string,
  setting: HypervisorRow['virt_type_setting'],
  name: string,
): Judgement {
  if (found === 'kvm') return says('kvm', { code: 'virt-kvm' })
  if (setting === 'qemu') return says('qemu', { code: 'virt-wanted' })
  return says('qemu', {
    code: setting === 'kvm' ? 'virt-no-kvm' : 'virt-emulated',
    values: { reason, name },
  })
}

/** Bridges on which a guest may speak for addresses of other networks of its host. */
export function judgeSenders({ bridges }: NetworksLook): Said[] {
  const open = bridges.filter(({ rp_filter: filter }) => filter !== undefined && filter !== 1)
  return open.length === 0
    ? []
    : [{ code: 'networks-senders', values: { names: open.map(({ name }) => name).join(', ') } }]
}

/** `needed`: as machines say it, `network:NAME` or `bridge:NAME`. */
export function judgeNetworks(look: NetworksLook, needed: readonly string[]): Judgement {
  const measured = [
    ...look.networks.filter(({ active }) => active),
    ...look.bridges.filter(({ up }) => up),
  ]
    .map(({ name }) => name)
    .join(', ')
  const wanted = [...new Set(needed)].filter((one) => /^(network|bridge):/.test(one))
  if (wanted.length === 0) return says(measured, { code: 'networks-none' })
  return faultsOr(
    wanted.flatMap((one) => networkFaults(look, one)),
    { code: 'networks-there' },
    measured,
  )
}

function networkFaults({ networks, bridges }: NetworksLook, wanted: string): Said[] {
  const [kind, name = ''] = wanted.split(':')
  if (kind === 'bridge') {
    const bridge = bridges.find((one) => one.name === name)
    return !bridge
      ? [{ code: 'bridge-missing', values: { bridge: name } }]
      : bridge.up
        ? []
        : [{ code: 'bridge-down', values: { bridge: name } }]
  }
  const network = networks.find((one) => one.name === name)
  if (!network) return [{ code: 'network-missing', values: { network: name } }]
  if (!network.active) return [{ code: 'network-inactive', values: { network: name } }]
  return network.autostart ? [] : [{ code: 'network-no-autostart', values: { network: name } }]
}
