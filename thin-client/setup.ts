import { readFileSync } from 'node:fs'
import { resolveSrv } from 'node:dns/promises'
import {
  type BrokerAddress,
  type SrvRecord,
  orderSrvRecords,
  searchDomains,
} from './broker-address.js'
import type { RunCommand } from './command-line.js'
import { settingsOfKernelCommandLine } from './kernel-command-line.js'
import { type Settings, parseConfigurationFile, readSettings } from './settings.js'

/** Settings that were refused; the message is one sentence that names every fault. */
export class SettingsFault extends Error {
  override readonly name = 'SettingsFault'
}

/** Where the settings and the name service of the device are read. */
export interface SystemFiles {
  readonly kernelCommandLine: string
  readonly resolvConf: string
}
export const SYSTEM_FILES: SystemFiles = {
  kernelCommandLine: '/proc/cmdline',
  resolvConf: '/etc/resolv.conf',
}

/** Reads every source again, so that a corrected file is found without a restart. Throws SettingsFault. */
export function loadSettings(command: RunCommand, files: SystemFiles): Settings {
  const file = parseConfigurationFile(readConfiguration(command), command.configurationPath)
  const flags = readSettings(command.written)
  const fromFile = readSettings(file.written)
  const kernel = readSettings(settingsOfKernelCommandLine(readIfThere(files.kernelCommandLine)))
  const faults = [...flags.faults, ...file.faults, ...fromFile.faults, ...kernel.faults]
  if (faults.length > 0) throw new SettingsFault(`The settings are refused: ${faults.join('; ')}.`)
  return { ...kernel.settings, ...fromFile.settings, ...flags.settings }
}

export type LookUpSrv = (name: string) => Promise<SrvRecord[]>

/**
 * Asks DNS for `_berth._tcp` in each search domain; gives the brokers of the first that has some,
 * in the order to try, or none.
 */
export async function brokersOfDns(
  files: SystemFiles,
  random: () => number,
  lookUp: LookUpSrv = resolveSrv,
): Promise<BrokerAddress[]> {
  for (const domain of searchDomains(readIfThere(files.resolvConf))) {
    try {
      const brokers = orderSrvRecords(await lookUp(`_berth._tcp.${domain}`), random)
      if (brokers.length > 0) return brokers
    } catch {
      // No such record, or no name server now: the next domain, and later everything again.
    }
  }
  return []
}

function readConfiguration(command: RunCommand): string {
  try {
    return readFileSync(command.configurationPath, 'utf8')
  } catch (error) {
    if (
      !command.configurationRequired &&
      error instanceof Error &&
      'code' in error &&
      error.code === 'ENOENT'
    )
      return ''
    throw new SettingsFault(
      `The settings cannot be read: ${error instanceof Error ? error.message : String(error)}.`,
    )
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
