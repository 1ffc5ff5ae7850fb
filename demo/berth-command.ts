import { join } from 'node:path'
import { mustRun } from '../test/fleet/command.js'
import { ROOT } from '../test/support/broker-process.js'
import type { Steps } from './steps.js'

/** `berth`, with a configuration of its own. */
export class BerthCommand {
  constructor(
    readonly steps: Steps,
    readonly configHome: string,
  ) {}

  /** A step of the demo. Returns what it prints. */
  async step(what: string, args: readonly string[]): Promise<string> {
    return await this.steps.step(what, async () => await this.run(args))
  }

  async run(args: readonly string[]): Promise<string> {
    return await mustRun([process.execPath, join(ROOT, 'dist/cli/main.js'), ...args], {
      timeoutMs: 300_000,
      env: { ...process.env, XDG_CONFIG_HOME: this.configHome },
    })
  }
}
