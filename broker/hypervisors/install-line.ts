import { curlPin } from '../certificates/authority.js'

const HOST_AND_PORT = /^([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/

/**
 * What fetches the installer, to be pasted into a root's shell: a Host header that is no address is
 * not repeated, but `otherwise`.
 */
export function installLine(certificate: string, asked: string | null, otherwise: string): string {
  const host = asked !== null && HOST_AND_PORT.test(asked) ? asked : otherwise
  return `curl -fsSk --pinnedpubkey '${curlPin(certificate)}' https://${host}/install/hypervisor.sh | bash`
}
