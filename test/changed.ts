/**
 * Says which test files a change concerns: those that import a changed file, or start a program
 * that does, through whatever lies between.
 *
 * Usage: node dist/test/changed.js [COMMIT]     what differs from COMMIT (default HEAD), new files
 * included. Output: one test file a line, and nothing when none is concerned.
 */
import { execFileSync } from 'node:child_process'
import { ROOT } from './support/broker-process.js'
import { importsOf, TYPESCRIPT_FILES } from './architecture/tree.js'

/** Rules of the project look at every file. */
const RULES = /^test\/architecture\/.*\.test\.ts$/
/** What tests of a folder do not import but run: built programs, pages, scripts, units. */
const RUN: ReadonlyArray<readonly [tests: RegExp, folders: RegExp]> = [
  [/^test\/(web|e2e)\//, /^(web|broker)\//],
  [/^test\/(cli|e2e)\//, /^(cli|broker)\//],
  [/^test\/thin-client\//, /^(thin-client|broker|systemd)\//],
  [/^test\/(hypervisor-scripts|fleet|e2e|broker\/fleet)\//, /^(hypervisor-scripts|broker)\//],
  [/^test\/systemd\//, /^(systemd|thin-client|broker|cli)\//],
  [/^test\/broker\/reverse-proxy\//, /^docs\/how-to\/reverse-proxy\//],
]
/** Through these, everything is concerned. */
const EVERYTHING = /^(package(-lock)?\.json|tsconfig.*\.json|build|\.taprc|test\/(run|prepare))$/

function git(...words: readonly string[]): string[] {
  return execFileSync('git', words, { cwd: ROOT, encoding: 'utf8' }).split('\n').filter(Boolean)
}

/** Every file that this one imports, or starts: a broker's process is its main.ts. */
function next(file: string): string[] {
  if (!TYPESCRIPT_FILES.includes(file)) return []
  const imports = importsOf(file).map(({ from }) => from)
  return file === 'test/support/broker-process.ts' ? [...imports, 'broker/main.ts'] : imports
}

/** All that a file leads to, itself included. */
function reach(file: string, known: Map<string, readonly string[]>): Set<string> {
  const seen = new Set([file])
  for (const one of seen) {
    const follow = known.get(one) ?? next(one)
    known.set(one, follow)
    for (const further of follow) seen.add(further)
  }
  return seen
}

function runs(file: string, changed: ReadonlySet<string>): boolean {
  const folders = RUN.filter(([tests]) => tests.test(file)).map(([, folder]) => folder)
  return [...changed].some((one) => folders.some((folder) => folder.test(one)))
}

function concerned(changed: ReadonlySet<string>): string[] {
  const tests = TYPESCRIPT_FILES.filter((file) => file.endsWith('.test.ts'))
  if ([...changed].some((file) => EVERYTHING.test(file))) return tests
  const known = new Map<string, readonly string[]>()
  return tests.filter(
    (file) =>
      RULES.test(file) ||
      runs(file, changed) ||
      [...reach(file, known)].some((one) => changed.has(one)),
  )
}

const since = process.argv[2] ?? 'HEAD'
const changed = new Set([
  ...git('diff', '--name-only', since),
  ...git('ls-files', '--others', '--exclude-standard'),
])
if (changed.size > 0) for (const file of concerned(changed)) process.stdout.write(`${file}\n`)
