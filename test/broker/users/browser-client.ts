import type { RawAnswer } from '../../support/api-client.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'

/** What a browser does: keeps cookies as it is told, and says where a request comes from. */
export class BrowserClient {
  readonly cookies = new Map<string, string>()
  csrf = ''

  constructor(readonly broker: SimulatedBroker) {}

  /** A request of our own page; `headers` may say otherwise. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<RawAnswer> {
    const answer = await this.broker.anybody.raw(method, path, body, {
      ...(this.cookies.size === 0
        ? {}
        : { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') }),
      origin: this.broker.url,
      'sec-fetch-site': 'same-origin',
      'x-berth-csrf': this.csrf,
      ...headers,
    })
    for (const line of (answer.headers['set-cookie'] ?? []) as string[]) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '' || /expires=Thu, 01 Jan 1970/i.test(line)) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return answer
  }

  async logIn(name: string, password: string): Promise<RawAnswer> {
    const answer = await this.ask('POST', '/api/v1/session', { name, password })
    this.csrf = (answer.body as { csrf?: string } | null)?.csrf ?? ''
    return answer
  }
}
