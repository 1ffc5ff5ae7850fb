import { BrokerError } from '../errors.js'

/**
 * A path of this broker and nothing else: `//evil.example` and `\\evil.example` are other hosts to
 * a browser. Throws `invalid_request`.
 */
export function localPath(text: string): string {
  const base = 'https://berth.invalid'
  const url = URL.canParse(text, base) ? new URL(text, base) : null
  if (!url || url.origin !== base || !/^\/(?![/\\])/.test(text))
    throw new BrokerError(
      'invalid_request',
      'querystring.returnTo: must be a path of this broker, such as /machines.',
    )
  return `${url.pathname}${url.search}${url.hash}`
}
