import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe finds serious or critical on the page as it stands: `rule: element`. */
export async function seriousFaults (page: Page): Promise<string[]> {
  await page.evaluate(AXE) // the page's own policy forbids script tags
  const found = await page.evaluate('axe.run({ resultTypes: ["violations"] })') as { violations: Array<{ id: string, impact: string, nodes: Array<{ html: string }> }> }
  return found.violations.filter(({ impact }) => impact === 'serious' || impact === 'critical').flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`))
}
