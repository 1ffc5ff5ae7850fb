const COLLATOR = new Intl.Collator('en', { numeric: true })

/**
 * Orders names as people read them: pc-2 before pc-10. One collator for all: `localeCompare` with
 * options looks for its own at each call, and ten thousand names then take a third of a second
 * instead of a hundredth.
 */
export const compareNames: (a: string, b: string) => number = COLLATOR.compare
