import { connect } from 'node:net'

/**
 * Inside the login window: carries keys to the agent and its text to the terminal, until one of
 * both ends. Resolves then.
 */
export async function relayTerminal(path: string): Promise<void> {
  const agent = connect(path)
  if (process.stdin.isTTY) process.stdin.setRawMode(true)
  process.stdin.on('error', () => agent.destroy())
  process.stdout.on('error', () => agent.destroy())
  process.stdin.on('data', (keys) => agent.write(keys))
  agent.on('data', (text) => process.stdout.write(text))
  await new Promise<void>((resolve) => {
    agent.once('close', () => resolve())
    agent.once('error', () => resolve())
    process.stdin.once('end', () => resolve())
  })
}
