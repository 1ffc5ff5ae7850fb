/** The main job on this machine, as an administrator and the people at the desks would do it; see demo/run. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ROOT } from '../test/support/broker-process.js'
import { Demo } from './demo.js'
import { Steps } from './steps.js'

const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    boot: { type: 'boolean', default: false },
    screenshots: { type: 'boolean', default: false },
  },
})
const steps = new Steps()
const demo = new Demo(steps, { boot: values.boot })
let ending: Promise<void> | undefined

async function end(code: number): Promise<never> {
  ending ??= demo.stop()
  await ending.catch((error: unknown) => {
    steps.fault('Taking it down', error)
  })
  if (steps.failed) process.stderr.write('What each part logged is in demo-out/logs/ .\n')
  process.exit(code)
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    process.stdout.write('\nTaking everything down …\n')
    void end(steps.failed ? 1 : 0)
  })
}

try {
  await demo.run()
} catch (error) {
  steps.fault('The demo stopped', error)
  await end(1)
}
if (values.screenshots && !steps.failed) {
  try {
    await demo.takeScreenshots(join(ROOT, 'docs/screenshots'))
  } catch (error) {
    steps.fault('The pictures of the pages', error)
  }
}
if (values.once || values.screenshots) await end(steps.failed ? 1 : 0)
await demo.sayHowToLogIn()
