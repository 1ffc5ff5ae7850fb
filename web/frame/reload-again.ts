const KEPT = 'berth-reloads'
/** How long it waits before each try; then somebody has to press the button. */
const PAUSES_MS = [500, 3_000] as const
/** What failed longer ago was something else. */
const COUNTS_FOR_MS = 60_000

/**
 * A script or a style of the pages could not be fetched. What failed is remembered by the browser
 * until the page is reloaded, so that is done, twice at most. Settles only when it was of no
 * use, or the broker does not answer: a page that says so is better than the browser's own.
 */
export async function reloadAgain(): Promise<void> {
  const tries = latelyTried()
  const pauseMs = PAUSES_MS[tries.length]
  if (pauseMs === undefined) return
  sessionStorage.setItem(KEPT, JSON.stringify([...tries, Date.now()]))
  await new Promise((resolve) => setTimeout(resolve, pauseMs))
  if (!(await isThere())) {
    await reloadAgain()
    return
  }
  window.location.reload()
  await new Promise<never>(() => {}) // the page goes away
}

function latelyTried(): number[] {
  const tries = JSON.parse(sessionStorage.getItem(KEPT) ?? '[]') as number[]
  return tries.filter((at) => Math.abs(Date.now() - at) < COUNTS_FOR_MS)
}

async function isThere(): Promise<boolean> {
  try {
    const headers = { accept: 'text/html' }
    return (await fetch(window.location.href, { method: 'HEAD', cache: 'no-store', headers })).ok
  } catch {
    return false
  }
}
