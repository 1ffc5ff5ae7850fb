import { parseArgs } from 'node:util'
import { SETTING_KEYS, type WrittenSetting } from './settings.js'

export const DEFAULT_CONFIGURATION_PATH = '/etc/berth/thin-client.conf'
export const DEFAULT_STATE_DIRECTORY = '/var/lib/berth-thin-client'

/**
 * Exit codes. 0: asked to stop, or with --once the viewer ended well. 1: with --once, the viewer
 * failed or is missing. 2: the command line is wrong. 70: a fault of the agent itself (sysexits.h
 * EX_SOFTWARE). Nothing else ends the agent.
 */
export const EXIT = { ok: 0, viewerFailed: 1, usage: 2, internal: 70 } as const

export const HELP = `berth-thin-client: asks the broker for this device's desktop and shows it

Usage: berth-thin-client [OPTION]...

  --broker HOST[:PORT]       the broker (port 8443 unless said)
  --ca sha256:HEX            the fingerprint of the broker's CA, several with commas between,
                             or "system": the CAs that this system trusts; without it the
                             first one seen is kept
  --display MODE             auto (default), existing, x (own X server by xinit), wayland (cage)
  --state-dir DIR            where the device key is kept (default ${DEFAULT_STATE_DIRECTORY})
  --horizon-command COMMAND  words with {server} and {pool}
  --rdp-arguments WORDS      added to the command of xfreerdp
  --x-server-command COMMAND words with {display} and {vt}
  --remote-reboot yes|no     whether an administrator may restart this device (default yes)
  --config FILE              settings as key=value lines (default ${DEFAULT_CONFIGURATION_PATH})
  --console FILE             the terminal to write to (default standard output)
  --once                     end when the first viewer has ended
  --version, --help

The broker is looked for in this order: --broker, "broker=" in the file, berth.broker= on the
kernel command line, DNS SRV _berth._tcp in the search domains. Every long option with a value but
--config and --console is also a key of the file and, with the prefix "berth.", of the kernel
command line. The flag counts before the file, the file before the kernel command line.

Exit codes: 0 stopped, or --once and the viewer ended well; 1 --once and the viewer failed or is
missing; 2 wrong command line; 70 a fault of the agent itself.
`

/** What the agent itself runs inside the login window; not for people. */
export interface TerminalCommand {
  readonly kind: 'terminal'
  readonly path: string
}

export interface RunCommand {
  readonly kind: 'run'
  readonly written: readonly WrittenSetting[]
  readonly configurationPath: string
  /** The file was named on the command line, so it must exist. */
  readonly configurationRequired: boolean
  readonly consolePath: string | undefined
  readonly once: boolean
}
export type Command =
  | RunCommand
  | TerminalCommand
  | { readonly kind: 'help' | 'version' }
  | { readonly kind: 'wrong'; readonly sentence: string }

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const

/** Takes the arguments after the program's name. Values are checked later, together with those of the other sources. */
export function parseCommandLine(args: readonly string[]): Command {
  if (args[0] === '--terminal' && args[1] !== undefined && args.length === 2)
    return { kind: 'terminal', path: args[1] }
  const options = {
    ...Object.fromEntries(SETTING_KEYS.map((key) => [key, text])),
    config: text,
    console: text,
    once: flag,
    help: flag,
    version: flag,
  }
  let values: Record<string, unknown>
  try {
    values = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values
  } catch (error) {
    return {
      kind: 'wrong',
      sentence: `${error instanceof Error ? error.message.split(/\. |\n/)[0] : String(error)}; see --help.`,
    }
  }
  if (values.help === true) return { kind: 'help' }
  if (values.version === true) return { kind: 'version' }
  const written = SETTING_KEYS.flatMap((key) =>
    typeof values[key] === 'string' ? [{ key, value: String(values[key]), place: `--${key}` }] : [],
  )
  return {
    kind: 'run',
    written,
    configurationPath:
      typeof values.config === 'string' ? values.config : DEFAULT_CONFIGURATION_PATH,
    configurationRequired: values.config !== undefined,
    consolePath: typeof values.console === 'string' ? values.console : undefined,
    once: values.once === true,
  }
}
