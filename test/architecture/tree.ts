import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import ts from 'typescript'
import { ROOT } from '../support/broker-process.js'

const NOT_OURS = new Set([
  'node_modules',
  'dist',
  'demo-out',
  'bench-out',
  'test-logs',
  '.git',
  '.cache',
  '.tap',
  '.mypy_cache',
])
/** The folders that hold code. */
const CODE_FOLDERS = [
  'broker',
  'cli',
  'thin-client',
  'web',
  'hypervisor-scripts',
  'systemd',
  'demo',
  'bench',
  'test',
  'docs/generate',
]

export interface Import {
  readonly from: string
  readonly line: number
}

function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter((entry) => !NOT_OURS.has(entry.name))
    .flatMap((entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`
      return entry.isDirectory() ? filesBelow(path) : entry.isFile() ? [path] : []
    })
}

/** Every file of the project, by its path from the root. */
export const FILES: readonly string[] = filesBelow('').sort()
export const CODE_FILES: readonly string[] = FILES.filter((file) =>
  CODE_FOLDERS.some((folder) => file.startsWith(`${folder}/`)),
)
export const TYPESCRIPT_FILES: readonly string[] = CODE_FILES.filter((file) => /\.tsx?$/.test(file))

export function textOf(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8')
}

/** Shell files: by their first line, or by their name where they are parts of others. */
export const SHELL_FILES: readonly string[] = FILES.filter(
  (file) =>
    !/\.(ts|py|md|json|png|sql|xml|mjs)$/.test(file) &&
    (/\.sh$/.test(file) || /^#!.*\b(ba|da)?sh\b/.test(textOf(file).split('\n', 1)[0] ?? '')),
)

export function syntaxOf(file: string): ts.SourceFile {
  return ts.createSourceFile(file, textOf(file), ts.ScriptTarget.ES2022, true)
}

export function lineOf(source: ts.SourceFile, node: ts.Node): number {
  return source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
}

/** Every node of a file, the root first. */
export function nodesOf(source: ts.SourceFile): ts.Node[] {
  const found: ts.Node[] = []
  const visit = (node: ts.Node): void => {
    found.push(node)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

/** A file of the tree by the name under which others import it. */
function sourceOf(path: string): string {
  return path.replace(
    /\.js$/,
    existsSync(join(ROOT, path.replace(/\.js$/, '.tsx'))) ? '.tsx' : '.ts',
  )
}

/** What a file imports; imports of its own tree as paths from the root. */
export function importsOf(file: string): Import[] {
  const source = syntaxOf(file)
  return nodesOf(source).flatMap((node) => {
    const name =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : undefined
    if (!name || !ts.isStringLiteral(name)) return []
    const from = name.text.startsWith('.')
      ? sourceOf(relative(ROOT, join(ROOT, file, '..', name.text)))
      : name.text
    return [{ from, line: lineOf(source, node) }]
  })
}
