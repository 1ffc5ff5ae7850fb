/** In this window's own storage, which outlives a reload: the pool of which they asked for a desktop here. */
const ASKED = 'berth-asked'

export function noteAsked(pool: string): void {
  sessionStorage.setItem(ASKED, pool)
}
/** Whether they asked for it in this window, which then opens it, also when it was reloaded meanwhile. */
export function isAsked(pool: string): boolean {
  return sessionStorage.getItem(ASKED) === pool
}
export function forgetAsked(pool: string): void {
  if (isAsked(pool)) sessionStorage.removeItem(ASKED)
}
