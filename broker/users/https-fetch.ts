import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import type { CustomFetch } from 'openid-client'

/** A provider's documents and answers are small. */
const LARGEST_BYTES = 1024 * 1024

/**
 * Asks by HTTPS, and trusts the CA in this file (PEM) only; Node's own fetch takes no CA. Redirects
 * are not followed.
 */
export function fetchTrusting(caFile: string): CustomFetch {
  return async (url, options) =>
    await new Promise((resolve, reject) => {
      const sent = request(
        url,
        {
          method: options.method,
          headers: options.headers,
          ca: readFileSync(caFile),
          minVersion: 'TLSv1.2',
          ...(options.signal ? { signal: options.signal } : {}),
        },
        (answer) => {
          const chunks: Buffer[] = []
          let bytes = 0
          answer.on('data', (chunk: Buffer) => {
            bytes += chunk.length
            if (bytes > LARGEST_BYTES)
              answer.destroy(new Error(`the answer of ${url} is too large`))
            else chunks.push(chunk)
          })
          answer.on('error', reject)
          answer.on('end', () => {
            const status = answer.statusCode ?? 500
            const headers = Object.entries(answer.headers).flatMap(
              ([name, value]): Array<[string, string]> =>
                value === undefined ? [] : [[name, [value].flat().join(', ')]],
            )
            resolve(
              new Response(status === 204 || status === 304 ? null : Buffer.concat(chunks), {
                status,
                headers,
              }),
            )
          })
        },
      )
      sent.on('error', reject)
      sent.end(
        options.body === undefined || options.body === null ? undefined : String(options.body),
      )
    })
}
