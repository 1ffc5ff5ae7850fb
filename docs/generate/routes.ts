import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { type Access, ACCESS } from '../../broker/access.js'
import { ROOT } from '../../test/support/broker-process.js'

export interface ListedRoute {
  /** Such as `GET /machines/NAME`, without `/api/v1`. */
  readonly route: string
  readonly access: string
  readonly summary: string
}

/** Every route of the API, in the order of the table of access, with the summary that its folder gives it. */
export function routesOfTheApi(): ListedRoute[] {
  const summaries = new Map(routeFiles().flatMap((file) => [...summariesIn(file)]))
  return Object.entries(ACCESS).flatMap(([route, access]) => {
    const summary = summaries.get(route)
    return summary === undefined ? [] : [{ route, access: words(access), summary }]
  })
}

function routeFiles(): string[] {
  return readdirSync(join(ROOT, 'broker'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /(^|[/-])routes\.ts$/.test(name))
    .map((name) => join(ROOT, 'broker', name))
}

/**
 * `app.get('/machines', route('All machines', …), …)`: the path, and the first text that `route` is
 * given, there or in a constant.
 */
function summariesIn(file: string): Map<string, string> {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true)
  const constants = new Map<string, string>()
  const found = new Map<string, string>()
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && node.initializer) {
      const summary = summaryIn(node.initializer, constants)
      if (ts.isIdentifier(node.name) && summary) constants.set(node.name.text, summary)
    }
    if (ts.isCallExpression(node)) {
      const method = /^app\.(get|post|put|patch|delete)$/.exec(node.expression.getText())?.[1]
      const [path, options] = node.arguments
      const summary = options && summaryIn(options, constants)
      if (method !== undefined && path && ts.isStringLiteral(path) && summary)
        found.set(`${method.toUpperCase()} ${path.text}`, summary)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

function summaryIn(node: ts.Node, constants: ReadonlyMap<string, string>): string | undefined {
  if (ts.isFunctionLike(node)) return undefined
  if (ts.isIdentifier(node)) return constants.get(node.text)
  if (ts.isCallExpression(node) && node.expression.getText() === 'route') {
    const [summary] = node.arguments
    return summary && literalIn(summary)
  }
  return ts.forEachChild(node, (child) => summaryIn(child, constants))
}

/** A text that may be put together from several lines. */
function literalIn(node: ts.Node): string | undefined {
  if (ts.isStringLiteralLike(node)) return node.text
  if (!ts.isBinaryExpression(node)) return undefined
  const [left, right] = [literalIn(node.left), literalIn(node.right)]
  return left === undefined || right === undefined ? undefined : left + right
}

function words(access: Access): string {
  if (typeof access === 'string') return access
  if ('verb' in access) return `\`${access.verb}\` on the ${access.on}`
  if ('verbByAction' in access)
    return (
      `${[...new Set(Object.values(access.verbByAction))].map((verb) => `\`${verb}\``).join(', ')} ` +
      `on the ${access.on}, by its action`
    )
  return 'see' in access ? `any permission on the ${access.see}` : 'user; lists what they may see'
}
