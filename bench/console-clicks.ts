import { setTimeout as delay } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { loaded, logIn, openWindow, startBrowser } from '../test/support/browser.js'
import { until } from '../test/support/until.js'
import type { FleetWithBroker } from './fleet-with-broker.js'

const PERSON = 'clicker'
const PASSWORD = 'a password of the bench'
const CANVAS = '.berth-canvas canvas'
/** So many rows may differ from the picture that is waited for: those of a cursor that blinks. */
const CURSOR_ROWS = 16
/** A picture in which nothing is drawn has so many kinds of rows. */
const BLANK_KINDS = 1
const PATIENCE_MS = 20_000

/** Puts berthRows into the page: a checksum of each row of the picture that noVNC has drawn; null: there is none. */
const ROWS = `window.berthRows = () => {
  const canvas = document.querySelector(${JSON.stringify(CANVAS)})
  if (!canvas || canvas.width === 0 || canvas.height === 0) return null
  const { width, height } = canvas
  const pixels = new Uint32Array(canvas.getContext('2d').getImageData(0, 0, width, height).data.buffer)
  return Array.from({ length: height }, (_, y) => {
    let sum = 2166136261
    for (let at = y * width; at < (y + 1) * width; at++) sum = Math.imul(sum ^ pixels[at], 16777619)
    return sum
  })
}`

/**
 * From the next click on: berthShown becomes the milliseconds until a drawn frame holds this
 * picture. One clock, that of the page.
 */
function watch(picture: readonly number[]): string {
  return `window.berthShown = new Promise((resolve, reject) => {
    const picture = ${JSON.stringify(picture)}
    document.addEventListener('click', ({ timeStamp }) => {
      const look = () => {
        const rows = window.berthRows()
        const now = performance.now()
        const others = rows?.filter((row, y) => row !== picture[y]).length
        if (rows?.length === picture.length && others <= ${CURSOR_ROWS}) resolve(now - timeStamp)
        else if (now - timeStamp > ${PATIENCE_MS}) reject(new Error('the picture has not come'))
        else requestAnimationFrame(look)
      }
      requestAnimationFrame(look)
    }, { capture: true, once: true })
  }), undefined`
}

export interface Clicks {
  /** In a browser that was never here: the console's part of the pages is loaded too. */
  readonly first: readonly number[]
  /** Once more in the same page. */
  readonly again: readonly number[]
}

/** Milliseconds from the click on a person's card to the whole picture of the guest in Chromium, `count` times each. */
export async function measureClicks(
  { api, broker }: FleetWithBroker,
  machine: string,
  count: number,
): Promise<Clicks> {
  await api.post('/users', { name: PERSON, password: PASSWORD })
  await api.put('/grants', {
    kind: 'machine',
    object: machine,
    subjectKind: 'user',
    subject: PERSON,
    verbs: ['accessConsole'],
  })
  const browser = await startBrowser()
  try {
    const picture = await pictureOf(browser, broker.url, machine)
    const [first, again]: [number[], number[]] = [[], []]
    for (let index = 0; index < count; index++) {
      const { page, context } = await atHisCard(browser, broker.url, machine)
      first.push(await click(page, machine, picture))
      await backToCard(page, machine)
      again.push(await click(page, machine, picture))
      await context.close()
    }
    return { first, again }
  } finally {
    await browser.close()
    await api.delete(`/users/${PERSON}`)
  }
}

const openButton = (page: Page, machine: string) =>
  page.getByRole('button', { name: `Open ${machine}: In the browser` })

async function atHisCard(
  browser: Browser,
  url: string,
  machine: string,
): ReturnType<typeof openWindow> {
  const window = await openWindow(browser)
  await logIn(window.page, url, PERSON, PASSWORD)
  await settled(window.page, machine)
  await window.page.evaluate(ROWS)
  return window
}

async function backToCard(page: Page, machine: string): Promise<void> {
  await page.getByRole('link', { name: 'Back to my desktops' }).click()
  await settled(page, machine)
}

/** The page has loaded, and they have had time to look at it. */
async function settled(page: Page, machine: string): Promise<void> {
  await openButton(page, machine).waitFor()
  await loaded(page)
  await delay(1_000)
}

async function click(page: Page, machine: string, picture: readonly number[]): Promise<number> {
  await page.evaluate(watch(picture))
  await openButton(page, machine).click()
  return await page.evaluate<number>('window.berthShown')
}

/**
 * What the guest shows when it is left alone: the picture that two looks one after the other agree
 * on. Throws for one in which nothing is.
 */
async function pictureOf(browser: Browser, url: string, machine: string): Promise<number[]> {
  const { page, context } = await atHisCard(browser, url, machine)
  await openButton(page, machine).click()
  let before: number[] | null = null
  const picture = await until(
    async () => {
      const now = await page.evaluate<number[] | null>('window.berthRows()')
      const same =
        now !== null &&
        before !== null &&
        now.filter((row, y) => row !== before?.[y]).length <= CURSOR_ROWS &&
        new Set(now).size > BLANK_KINDS
      before = now
      return same ? now : null
    },
    { withinMs: PATIENCE_MS, everyMs: 1_500, what: `${machine} shows a picture that stays` },
  )
  await context.close()
  return picture
}
