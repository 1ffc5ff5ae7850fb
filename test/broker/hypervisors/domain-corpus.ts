import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { XmlElement } from '../../../broker/xml/tree.js'
import { ROOT } from '../../support/broker-process.js'

const DIRECTORY = join(ROOT, 'test/broker/hypervisors/domains')

/** Domains as virt-install and virt-manager write them, by name. */
export const CORPUS: ReadonlyMap<string, string> = new Map(
  readdirSync(DIRECTORY).map((file) => [
    file.replace(/\.xml$/, ''),
    readFileSync(join(DIRECTORY, file), 'utf8'),
  ]),
)

/** One line for each attribute, text and empty element, by its path: what differs is a set of paths. */
export function linesOf(root: XmlElement, path = ''): string[] {
  const seen = new Map<string, number>()
  const here = `${path}/${root.name}`
  const hasElements = root.children.some((child) => typeof child !== 'string')
  return [
    here,
    ...Object.entries(root.attributes).map(([key, value]) => `${here}@${key}=${value}`),
    ...root.children.flatMap((child) => {
      if (typeof child === 'string')
        return hasElements && child.trim() === '' ? [] : [`${here}=${child}`]
      const count = (seen.get(child.name) ?? 0) + 1
      seen.set(child.name, count)
      return linesOf({ ...child, name: `${child.name}[${count}]` }, here)
    }),
  ]
}

/** The paths at which two domains differ. */
export function differences(before: XmlElement, after: XmlElement): string[] {
  const [was, is] = [linesOf(before), linesOf(after)]
  return [
    ...was.filter((line) => !is.includes(line)).map((line) => `- ${line}`),
    ...is.filter((line) => !was.includes(line)).map((line) => `+ ${line}`),
  ]
}
