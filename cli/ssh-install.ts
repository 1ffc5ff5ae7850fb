import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CliError } from './cli-error.js'

/** The name under which the confirmed key stands in the temporary known_hosts, whatever the host is called. */
const KEY_ALIAS = 'berth-hypervisor'
const SCAN_TIMEOUT_S = 10

export interface SshDestination {
  readonly user: string
  readonly host: string
}

/** Reads `root@HOST`. Anything that ssh could take for an option is refused. Throws CliError usage. */
export function parseDestination(text: string): SshDestination {
  const match = /^([a-z_][a-z0-9_-]*)@([A-Za-z0-9][A-Za-z0-9.:_-]*)$/.exec(text)
  if (match === null)
    throw new CliError(
      'usage',
      `"${text}" is not USER@HOST; give for example root@hv1.example.com.`,
    )
  return { user: match[1] ?? '', host: match[2] ?? '' }
}

/** Gives the known_hosts line of the key with this fingerprint among ssh-keyscan's lines, or null. Pure. */
export function knownHostsLine(scanned: string, fingerprint: string): string | null {
  for (const line of scanned.split('\n')) {
    const [, type, key] = line.split(' ')
    if (line.startsWith('#') || type === undefined || key === undefined) continue
    const digest = createHash('sha256').update(Buffer.from(key, 'base64')).digest('base64')
    const found = `SHA256:${digest.replace(/=+$/, '')}`
    if (found === fingerprint) return `${KEY_ALIAS} ${type} ${key}\n`
  }
  return null
}

/**
 * Runs `script` with bash on the destination over the local ssh, which may use the caller's keys,
 * agent or a typed password. Only the host key with the confirmed fingerprint is accepted. The
 * script's output goes to standard error. Throws CliError refused.
 */
export async function runOverSsh(
  destination: SshDestination,
  port: number,
  fingerprint: string,
  script: string,
): Promise<void> {
  const knownHosts = knownHostsLine(scanKeys(destination.host, port), fingerprint)
  if (knownHosts === null)
    throw new CliError(
      'refused',
      `${destination.host} port ${port} does not show the confirmed host key ${fingerprint} ` +
        'to this computer; nothing was installed.',
    )
  const folder = mkdtempSync(join(tmpdir(), 'berth-ssh-'))
  try {
    const file = join(folder, 'known_hosts')
    writeFileSync(file, knownHosts, { mode: 0o600 })
    const options = [
      'StrictHostKeyChecking=yes',
      `UserKnownHostsFile=${file}`,
      'GlobalKnownHostsFile=/dev/null',
      `HostKeyAlias=${KEY_ALIAS}`,
      'UpdateHostKeys=no',
      'CheckHostIP=no',
      'ForwardAgent=no',
    ].flatMap((option) => ['-o', option])
    await runScript(
      'ssh',
      ['-p', String(port), ...options, '-l', destination.user, '--', destination.host, 'bash -s'],
      script,
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function scanKeys(host: string, port: number): string {
  const result = spawnSync(
    'ssh-keyscan',
    ['-T', String(SCAN_TIMEOUT_S), '-p', String(port), '--', host],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  )
  if (result.error !== undefined)
    throw new CliError(
      'refused',
      'ssh-keyscan cannot be run; install the OpenSSH client (Debian: openssh-client).',
      [],
      { cause: result.error },
    )
  return result.stdout
}

async function runScript(program: string, options: string[], script: string): Promise<void> {
  const child = spawn(program, options, { stdio: ['pipe', 2, 2] })
  /* The remote side may end before it has read everything; its exit code tells. */
  child.stdin?.on('error', () => {
    child.stdin?.destroy()
  })
  child.stdin?.end(script)
  const [code] = await once(child, 'exit').catch((cause: unknown) => {
    throw new CliError(
      'refused',
      `${program} cannot be run; install the OpenSSH client (Debian: openssh-client).`,
      [],
      { cause },
    )
  })
  if (code !== 0)
    throw new CliError(
      'refused',
      'The installation over ssh ended ' +
        `with ${code === null ? 'a signal' : `exit code ${String(code)}`}; what went wrong ` +
        'stands above.',
    )
}
