import { refusal } from '../errors/broker-error.js'

/**
 * A path of this broker and nothing else: `//evil.example` and `\\evil.example` are other hosts to
 * a browser. Throws `invalid_request`.
 */
export function localPath(text: string): string {
  const base = 'https://berth.invalid'
  const url = URL.canParse(text, base) ? new URL(text, base) : null
  if (!url || url.origin !== base || !/^\/(?![/\\])/.test(text))
    throw refusal('return_address_wrong')
  return `${url.pathname}${url.search}${url.hash}`
}
