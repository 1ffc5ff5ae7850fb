import type { IncomingMessage } from 'node:http'
import { get } from 'node:https'
import type { Change, Topic } from '../../../broker/api/live.js'
import type { SimulatedBroker } from '../../support/simulated-broker.js'

/** A reader of GET /live, as a browser's EventSource. */
export class EventStream {
  text = ''
  ended = false
  private constructor(readonly message: IncomingMessage) {
    message.setEncoding('utf8')
    message.on('data', (text: string) => {
      this.text += text
    })
    message.on('close', () => {
      this.ended = true
    })
  }

  static async open(broker: SimulatedBroker, token: string, lastId = ''): Promise<EventStream> {
    return await new Promise((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${token}`,
        accept: 'text/event-stream',
        ...(lastId === '' ? {} : { 'last-event-id': lastId }),
      }
      get(`${broker.url}/api/v1/live`, { ca: broker.ca, headers, agent: false }, (message) => {
        if (message.statusCode === 200) resolve(new EventStream(message))
        else reject(new Error(`HTTP ${message.statusCode ?? 0}`))
      }).on('error', reject)
    })
  }

  get topics(): Topic[] {
    return [...this.text.matchAll(/^data: (\{"topics".*)$/gm)].flatMap(([, json = '{}']) => [
      ...(JSON.parse(json) as Change).topics,
    ])
  }
  get lastId(): string {
    return [...this.text.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? ''
  }
  close(): void {
    this.message.destroy()
  }
}
