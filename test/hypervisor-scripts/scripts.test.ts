import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { runCommand } from '../fleet/command.js'
import { buildScripts, scripts } from './prepared-host.js'

const parts = readdirSync(join(scripts, 'installer')).map((name) => join('installer', name))
const shellFiles = ['install.sh', 'build-installer', ...parts].map((name) => join(scripts, name))
const pythonFiles = readdirSync(join(scripts, 'helper')).map((name) =>
  join(scripts, 'helper', name),
)
const longestFile = 250

t.test('shell files pass shellcheck and shfmt', async (t) => {
  t.match(await runCommand(['shellcheck', '-x', '-P', scripts, ...shellFiles]), {
    code: 0,
    stdout: '',
  })
  t.match(await runCommand(['shfmt', '-i', '4', '-ci', '-d', ...shellFiles]), {
    code: 0,
    stdout: '',
  })
})

t.test('Python files compile for the oldest Python that is supported, and are short', async (t) => {
  for (const file of [...pythonFiles, join(scripts, 'build-helper')]) {
    const program = 'import ast, sys; ast.parse(open(sys.argv[1]).read(), feature_version=(3, 9))'
    t.match(
      await runCommand(['/usr/bin/python3', '-c', program, file]),
      { code: 0, stderr: '' },
      file,
    )
    t.ok(readFileSync(file, 'utf8').split('\n').length <= longestFile, `${file} is short`)
  }
})

t.test('the same sources give the same helper and installer', async (t) => {
  const folders = [1, 2].map(() => mkdtempSync(join(tmpdir(), 'berth-build-')))
  t.teardown(() => folders.forEach((folder) => rmSync(folder, { recursive: true })))
  const [first, second] = await Promise.all(folders.map(buildScripts))
  t.equal(first, second)
  t.equal(first?.split('@PUBLIC_KEY@').length, 2, 'there is one place for the public key')
  t.match(await runCommand(['bash', '-n'], { input: first ?? '' }), { code: 0, stderr: '' })
})
