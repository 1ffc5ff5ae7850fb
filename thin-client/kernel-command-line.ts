import type { WrittenSetting } from './settings.js'

const PREFIX = 'berth.'

/**
 * The settings of a kernel command line such as /proc/cmdline: every word `berth.KEY=VALUE`. Double
 * quotes keep spaces in a value, as the kernel's own parser reads them (kernel.org,
 * admin-guide/kernel-parameters).
 */
export function settingsOfKernelCommandLine(text: string): WrittenSetting[] {
  const words = text.match(/(?:"[^"]*"|[^\s"])+/g) ?? []
  return words
    .map((word) => word.replaceAll('"', ''))
    .filter((word) => word.startsWith(PREFIX))
    .map((word) => {
      const equals = word.indexOf('=')
      const key = equals < 0 ? word.slice(PREFIX.length) : word.slice(PREFIX.length, equals)
      return { key, value: equals < 0 ? '' : word.slice(equals + 1), place: 'kernel command line' }
    })
}
