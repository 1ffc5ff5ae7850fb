import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/**
 * What keeps people from using the page, as axe-core finds it by all of its rules: a line for each
 * serious or critical fault; none is good.
 */
export async function obstacles(page: Page): Promise<string[]> {
  // Evaluated by the browser's own tools, past the policy of the page, which lets no script in.
  await page.evaluate(AXE)
  const found = await page.evaluate(`axe.run(document).then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, help, nodes }) => {
      const where = nodes.slice(0, 3).map(({ html }) => html.slice(0, 160))
      return id + ': ' + help + ' — ' + where.join(' | ')
    }))`)
  return found as string[]
}
