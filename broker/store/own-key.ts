import { existsSync, readFileSync } from 'node:fs'
import { writePrivate } from './private-file.js'

/** What makes an OpenSSH key pair (ssh2's utils). */
export interface KeyMaker {
  generateKeyPairSync(
    type: 'ed25519',
    options: { comment: string },
  ): { private: string; public: string }
}

/** The broker's Ed25519 key, made at first start. `path` holds the private half (0600), `path.pub` the public one. */
export function ownKey(path: string, maker: KeyMaker): { privateKey: string; publicKey: string } {
  if (!existsSync(path) || !existsSync(`${path}.pub`)) {
    const pair = maker.generateKeyPairSync('ed25519', { comment: 'berth-broker' })
    writePrivate(`${path}.pub`, `${pair.public}\n`)
    writePrivate(path, pair.private)
  }
  return {
    privateKey: readFileSync(path, 'utf8'),
    publicKey: readFileSync(`${path}.pub`, 'utf8').trim(),
  }
}
