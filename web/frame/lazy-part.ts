import { type ComponentType, lazy, type LazyExoticComponent } from 'react'
import { reloadAgain } from './reload-again.js'

/** A part of the pages that could not be fetched, though it was tried again. */
export class PartMissing extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

/**
 * As React's `lazy`, for a part that is fetched when it is first shown: where that fails, the page
 * is reloaded by itself before anybody is told. Throws `PartMissing`.
 */
export function lazyPart<Props>(
  fetchPart: () => Promise<ComponentType<Props>>,
): LazyExoticComponent<ComponentType<Props>> {
  return lazy(async () => {
    try {
      return { default: await fetchPart() }
    } catch (error) {
      await reloadAgain()
      throw new PartMissing(error)
    }
  })
}
