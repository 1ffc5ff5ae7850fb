/**
 * Holds requests over TLS and answers none: what Node itself takes for connections that wait.
 * Usage: bare-server KEY CERTIFICATE; sends its port to its parent.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'

const [key = '', certificate = ''] = process.argv.slice(2)
const server = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, () => {})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
