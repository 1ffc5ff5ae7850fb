import type { Locator, Page } from 'playwright-core'
import { type Asked } from './dialogue-focus.js'

/**
 * A dialogue of a page: the names of its opener's button, of the menu's item, of what does it; and
 * how the rest is found in the page.
 */
export interface Row extends Pick<Asked, 'item' | 'fill' | 'act' | 'leave' | 'told'> {
  readonly path: string
  readonly opener: string | RegExp
  readonly done?: (page: Page) => Promise<unknown>
}

export const button = (page: Page, name: string | RegExp): Locator =>
  page.getByRole('button', { name, exact: true })
export const row = (page: Page, text: string): Locator =>
  page.getByRole('row').filter({ hasText: text })
export const goneRow =
  (text: string) =>
  async (page: Page): Promise<void> => {
    await row(page, text).waitFor({ state: 'detached', timeout: 10_000 })
  }
export const heading =
  (name: string) =>
  async (page: Page): Promise<void> => {
    await page.getByRole('heading', { level: 1, name, exact: true }).waitFor()
  }
export const ended = async (page: Page): Promise<void> => {
  await page.getByText('Succeeded').first().waitFor({ timeout: 15_000 })
}
