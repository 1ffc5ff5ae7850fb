import { join } from 'node:path'
import { test } from 'tap'
import { mustRun, runCommand } from '../fleet/command.js'
import { ROOT } from '../support/broker-process.js'
import { SHELL_FILES, textOf } from './tree.js'

test('shell files pass shellcheck and shfmt', async (t) => {
  await mustRun(['shellcheck', '--version'])
  const paths = SHELL_FILES.map((file) => join(ROOT, file))
  const checked = await runCommand([
    'shellcheck',
    '-x',
    '--source-path=SCRIPTDIR',
    '--format=gcc',
    ...paths,
  ])
  t.equal(checked.stdout, '', 'shellcheck has nothing to say')
  const formatted = await runCommand(['shfmt', '-d', '-i', '4', '-ci', ...paths])
  t.equal(formatted.stdout + formatted.stderr, '', 'shfmt -i 4 -ci changes nothing')
})

test('a bash program stops at the first failure and says how it is used', async (t) => {
  for (const file of SHELL_FILES.filter((one) => textOf(one).startsWith('#!/usr/bin/env bash'))) {
    t.match(textOf(file), /^set -euo pipefail$/m, `${file} is strict`)
    t.match(textOf(file).slice(0, 1_000), /^# Usage|continuous integration/m, `${file} has a head`)
  }
})
