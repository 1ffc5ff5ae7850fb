import type { FastifyInstance } from 'fastify'
import { refusal } from './errors/broker-error.js'

const NUL = '\0'

/**
 * Refuses requests with a NUL character in their address or body: no text needs one, and what
 * follows it is lost in C, in PostgreSQL and in files of other programs.
 */
export function refuseNul(app: FastifyInstance): void {
  app.addHook('preValidation', async (request) => {
    for (const part of ['params', 'query', 'body'] as const) {
      const where = placeOfNul(request[part])
      if (where === null) continue
      const place = [part === 'body' ? '' : part, ...where].filter((name) => name !== '').join('.')
      throw place === '' ? refusal('nul_in_body') : refusal('nul_in_field', { field: place })
    }
  })
}

/** The names that lead to a text with a NUL character; null: there is none. */
function placeOfNul(value: unknown): string[] | null {
  if (typeof value === 'string') return value.includes(NUL) ? [] : null
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return null
  for (const [name, inner] of Object.entries(value)) {
    if (name.includes(NUL)) return []
    const place = placeOfNul(inner)
    if (place !== null) return [name, ...place]
  }
  return null
}
