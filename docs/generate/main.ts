/** Writes what is generated into the documentation; see docs/generate/run. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../test/support/broker-process.js'
import { outdated } from './pages.js'

for (const [file, text] of outdated()) {
  writeFileSync(join(ROOT, file), text)
  process.stdout.write(`${file}\n`)
}
