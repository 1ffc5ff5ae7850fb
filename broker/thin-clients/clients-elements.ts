import ipaddr from 'ipaddr.js'
import type { Fault } from '../api/clients-xml.js'
import { DEFAULT_VIEWER_OPTIONS, type ViewerOptions } from '../api/thin-clients.js'
import { nodesOf, offsetOf, textOf, type XmlNode } from '../xml/xml.js'
import { type ClientEntry, type FoundEntries, normalMac, type Target } from './clients-entry.js'
import type { FoundFault } from './clients-faults.js'

const PROTOCOLS = { SPICE: 'machine-name', RDP: 'machine-rdp-address', vmView: 'pool' } as const
/** People write them in small letters, too. */
const PROTOCOL_NAMES: ReadonlyMap<string, string> = new Map(
  [...Object.keys(PROTOCOLS), 'LOGIN'].map((name) => [name.toLowerCase(), name]),
)
const TARGET_CHILDREN = [
  'protocol',
  'machine-name',
  'machine-rdp-address',
  'pool',
  'desktop-pool',
] as const
/** With colons or dashes, bare, or in three groups as switches write it. */
const MAC = /^(?:[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}|[0-9a-f]{12}|[0-9a-f]{4}(?:\.[0-9a-f]{4}){2})$/i
const ADDRESS =
  /^[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,250}[A-Za-z0-9])?$|^\[[0-9a-fA-F:]+\](?::\d{1,5})?$/
const MACHINE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/
const POOL = /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,99}$/

/** Of what is refused anyway. */
const NOTHING: ClientEntry = {
  mac: null,
  ip: null,
  cidr: null,
  hostname: null,
  targets: [],
  viewer: DEFAULT_VIEWER_OPTIONS,
}

/** Reads the elements of `<thin-clients>`; `faults` grows meanwhile. */
export class Reader {
  readonly faults: FoundFault[] = []

  constructor(
    readonly machineExists: (name: string) => boolean,
    readonly horizonServer: string,
  ) {}

  read(root: XmlNode): FoundEntries {
    this.#refuseUnknown(root, ['client', 'default'], [], 'thin-clients')
    const clients = nodesOf(root['client']).map((node) => ({
      entry: this.#client(node),
      offset: offsetOf(node),
    }))
    const defaults = nodesOf(root['default']).map((node, index) => ({
      entry: index === 0 ? this.#entry(node, 'default', []) : NOTHING,
      offset: offsetOf(node),
    }))
    return { clients, defaults }
  }

  #client(node: XmlNode): ClientEntry {
    const entry = this.#entry(node, 'client', ['@_ip', '@_mac', '@_cidr', '@_hostname'])
    if (!['@_ip', '@_mac', '@_cidr', '@_hostname'].some((name) => name in node))
      this.#error(node, 'this <client> says nobody: it needs ip, mac, cidr or hostname')
    return entry
  }

  #entry(node: XmlNode, element: string, attributes: readonly string[]): ClientEntry {
    this.#refuseUnknown(node, [...TARGET_CHILDREN, 'target', 'viewer'], attributes, element)
    const own = TARGET_CHILDREN.some((name) => name in node) ? [this.#target(node)] : []
    const others = nodesOf(node['target']).map((target) => {
      this.#refuseUnknown(target, TARGET_CHILDREN, [], 'target')
      return this.#target(target)
    })
    const targets = [...own, ...others]
    if (targets.length === 0)
      this.#error(
        node,
        `this <${element}> offers nothing: it needs <protocol> and a machine, or <target> elements`,
      )
    const ip = this.#attribute(
      node,
      '@_ip',
      (value) => ipaddr.isValid(value) && !/^0\d|\.0\d/.test(value),
      'an IP address such as 10.1.0.7',
    )
    const cidr = this.#attribute(
      node,
      '@_cidr',
      (value) => ipaddr.isValidCIDR(value),
      'a network such as 10.1.0.0/16',
    )
    const mac = this.#attribute(
      node,
      '@_mac',
      (value) => MAC.test(value),
      'a MAC address such as 52:54:00:12:34:56',
    )
    const hostname = this.#attribute(
      node,
      '@_hostname',
      (value) => /^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/.test(value),
      'a host name',
    )
    return {
      mac: mac === null ? null : normalMac(mac),
      ip: ip === null ? null : ipaddr.process(ip).toString(),
      cidr: cidr === null ? null : ipaddr.parseCIDR(cidr),
      hostname: hostname?.toLowerCase() ?? null,
      targets: targets.filter((target) => target !== null),
      viewer: this.#viewer(node),
    }
  }

  #target(node: XmlNode): Target | null {
    const protocol = this.#protocol(node)
    if (protocol === 'LOGIN') return this.#loginTarget(node)
    const pool = this.#child(node, 'desktop-pool')
    if (pool !== null && protocol === null)
      return this.#checked(node, pool, POOL.test(pool), 'desktop-pool', { protocol: 'pool', pool })
    if (protocol === null)
      return this.#error(node, 'there is no <protocol>: write SPICE, RDP, vmView or LOGIN')
    if (!Object.hasOwn(PROTOCOLS, protocol))
      return this.#error(
        node,
        `the protocol "${shown(protocol)}" is unknown: write SPICE, RDP, vmView or LOGIN`,
      )
    return this.#targetBy(node, protocol as keyof typeof PROTOCOLS)
  }

  /** As it is written in these messages, however it was written in the file. */
  #protocol(node: XmlNode): string | null {
    const written = this.#child(node, 'protocol')
    return written === null ? null : (PROTOCOL_NAMES.get(written.toLowerCase()) ?? written)
  }

  #targetBy(node: XmlNode, protocol: keyof typeof PROTOCOLS): Target | null {
    const wanted = PROTOCOLS[protocol]
    const value = this.#child(node, wanted)
    if (value === null) return this.#error(node, `protocol ${protocol} needs <${wanted}>`)
    if (protocol === 'RDP')
      return this.#checked(node, value, ADDRESS.test(value), wanted, {
        protocol: 'rdp',
        address: value,
      })
    if (protocol === 'vmView') {
      if (this.horizonServer === '')
        this.#error(node, 'vmView needs the setting horizon-server in broker.yaml')
      return this.#checked(node, value, POOL.test(value), wanted, {
        protocol: 'horizon',
        desktopPool: value,
      })
    }
    if (!MACHINE.test(value))
      return this.#error(node, `<${wanted}> "${shown(value)}" has characters that are not accepted`)
    // One machine that was deleted must not refuse every later change of the file.
    if (!this.machineExists(value))
      this.#fault(node, `there is no machine "${shown(value)}"`, 'warning')
    return { protocol: 'spice', machine: value }
  }

  /** `<desktop-pool>`, any number of them, limits the choice. */
  #loginTarget(node: XmlNode): Target | null {
    const pools = nodesOf(node['desktop-pool']).map((child) => textOf(child).trim())
    const bad = pools.find((pool) => !POOL.test(pool))
    if (bad !== undefined)
      return this.#error(
        node,
        `<desktop-pool> "${shown(bad)}" has characters that are not accepted`,
      )
    const other = ['machine-name', 'machine-rdp-address', 'pool'].find((name) => name in node)
    if (other !== undefined)
      return this.#error(
        node,
        `protocol LOGIN takes no <${other}>: what a person gets is their own, and <desktop-pool> limits it`,
      )
    return { protocol: 'login', pools }
  }

  #checked(
    node: XmlNode,
    value: string,
    good: boolean,
    element: string,
    target: Target,
  ): Target | null {
    return good
      ? target
      : this.#error(node, `<${element}> "${shown(value)}" has characters that are not accepted`)
  }

  #viewer(node: XmlNode): ViewerOptions {
    const [viewer, second] = nodesOf(node['viewer'])
    if (second) this.#error(second, 'there is more than one <viewer>')
    if (!viewer) return DEFAULT_VIEWER_OPTIONS
    this.#refuseUnknown(
      viewer,
      [],
      ['@_full-screen', '@_multi-monitor', '@_usb-auto-share', '@_audio', '@_resolution'],
      'viewer',
    )
    const yes = (name: string, otherwise: boolean): boolean => {
      const value = this.#attribute(
        viewer,
        name,
        (text) => text === 'yes' || text === 'no',
        'yes or no',
      )
      return value === null ? otherwise : value === 'yes'
    }
    return {
      fullScreen: yes('@_full-screen', DEFAULT_VIEWER_OPTIONS.fullScreen),
      multiMonitor: yes('@_multi-monitor', false),
      usbAutoShare: yes('@_usb-auto-share', false),
      audio: yes('@_audio', true),
      resolution: this.#attribute(
        viewer,
        '@_resolution',
        (value) => /^[0-9]{3,5}x[0-9]{3,5}$/.test(value),
        'a resolution such as 1920x1080',
      ),
    }
  }

  /** A child's text, trimmed; the classic editor left line breaks around it. */
  #child(node: XmlNode, name: string): string | null {
    const [first, second] = nodesOf(node[name])
    if (second)
      this.#error(
        node,
        `there is more than one <${name}>; further choices go into <target> elements`,
      )
    const value = first === undefined ? '' : textOf(first).trim()
    return value === '' ? null : value
  }

  #attribute(
    node: XmlNode,
    name: string,
    good: (value: string) => boolean,
    form: string,
  ): string | null {
    if (node[name] === undefined) return null
    const value = textOf(node[name]).trim()
    if (good(value)) return value
    this.#error(node, `${name.slice(2)}="${shown(value)}" is not ${form}`)
    return null
  }

  #refuseUnknown(
    node: XmlNode,
    children: readonly string[],
    attributes: readonly string[],
    element: string,
  ): void {
    for (const name of Object.keys(node)) {
      if (name === '#text' && textOf(node[name]).trim() !== '')
        this.#error(
          node,
          `<${element}> holds text "${shown(textOf(node[name]).trim())}" outside of an element`,
        )
      else if (name.startsWith('@_') && !attributes.includes(name))
        this.#error(node, `<${element}> has an unknown attribute ${shown(name.slice(2))}`)
      else if (!name.startsWith('@_') && name !== '#text' && !children.includes(name))
        this.#error(
          nodesOf(node[name])[0] ?? node,
          `<${shown(name)}> is unknown inside <${element}>`,
        )
    }
  }

  #error(node: XmlNode, message: string): null {
    this.#fault(node, message, 'error')
    return null
  }

  #fault(node: XmlNode, message: string, severity: Fault['severity']): void {
    this.faults.push({ offset: offsetOf(node), message, severity })
  }
}

function shown(value: string): string {
  // control characters would reach the terminal of whoever reads the fault
  const clean = [...value].map((char) => (char < ' ' || char === '\u007f' ? '?' : char)).join('')
  return clean.length > 60 ? `${clean.slice(0, 60)}…` : clean
}
