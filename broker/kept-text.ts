import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * A text that is the same for everybody while the broker runs: made once, and not sent again to one
 * who has it (If-None-Match).
 */
export class KeptText {
  #kept: { readonly text: string; readonly etag: string } | undefined

  constructor(
    readonly type: string,
    readonly make: () => string,
  ) {}

  /** Makes it before somebody asks, so that nobody waits for it. */
  prepare(): void {
    this.#kept ??= withEtag(this.make())
  }

  async send(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    this.#kept ??= withEtag(this.make())
    const { text, etag } = this.#kept
    void reply.header('etag', etag).type(this.type)
    if (request.headers['if-none-match'] === etag) return await reply.code(304).send()
    return await reply.send(text)
  }
}

function withEtag(text: string): { text: string; etag: string } {
  const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
  return { text, etag }
}
