import { type Reaction, sendJson } from './broker-stand-in.js'

export const BAD_ANSWERS: ReadonlyArray<[what: string, reaction: Reaction, sentence: RegExp]> = [
  [
    'text',
    (response) => response.writeHead(200).end('<html>hello'),
    /is not understood: its answer is not JSON\./,
  ],
  ['an empty body', (response) => response.writeHead(200).end(), /its answer is not JSON\./],
  [
    'another form',
    (response) => sendJson(response, 200, { state: 'ready' }),
    /is not understood: its answer is not understood \(\/sentence: /,
  ],
  [
    'a fault of its own',
    (response) =>
      sendJson(response, 500, { code: 'internal', message: 'The disk is full.', requestId: 'r' }),
    /refused with 500: The disk is full\./,
  ],
  [
    'a fault without a sentence',
    (response) => response.writeHead(502).end('bad gateway'),
    /refused with 502\./,
  ],
  [
    'a way elsewhere',
    (response) => response.writeHead(302, { location: 'https://evil.example/' }).end(),
    /sends this device elsewhere \(302\), which is not followed/,
  ],
  [
    'a body without end',
    (response) => {
      response.writeHead(200)
      response.on('error', () => undefined)
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(65536)));
      }
      response.on('drain', more)
      more()
    },
    /sent an answer of more than 256 kB\./,
  ],
  [
    'half an answer',
    (response) => {
      response.writeHead(200, { 'content-length': '1000' })
      response.write('{"state"')
      setTimeout(() => response.destroy(), 50)
    },
    /The broker .*(closed|aborted)/,
  ],
  [
    'a closed connection',
    (response) => {
      response.destroy()
    },
    /closed the connection\./,
  ],
  [
    'escape sequences',
    (response) => sendJson(response, 500, { message: 'a\u001b[2Jb' }),
    /refused with 500: a \[2Jb\./,
  ],
]
