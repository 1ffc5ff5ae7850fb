import { type LayoutName, LAYOUTS } from './layouts.js'

const CHOSEN = 'berth-keyboard'
/** The keyboard that the guest believes it has, as chosen last in this browser. */
export function chosenLayout(): LayoutName {
  const chosen = localStorage.getItem(CHOSEN) ?? ''
  return chosen in LAYOUTS ? (chosen as LayoutName) : 'us'
}
export function chooseLayout(layout: LayoutName): void {
  localStorage.setItem(CHOSEN, layout)
}
