import { test } from 'tap'
import ts from 'typescript'
import {
  CODE_FILES,
  FILES,
  lineOf,
  nodesOf,
  SHELL_FILES,
  syntaxOf,
  textOf,
  TYPESCRIPT_FILES,
} from './tree.js'

/** This file names what it forbids. */
const HERE = 'test/architecture/words.test.ts'
const TEXT_FILES = FILES.filter((file) => !file.endsWith('.png') && file !== HERE)

/** What is nowhere, and why. */
const FORBIDDEN: ReadonlyArray<{
  readonly word: RegExp
  readonly why: string
  readonly files?: readonly string[]
}> = [
  {
    word: /\b(TODO|FIXME|XXX)\b(?!\})/,
    why: 'do it, or write it down where work is planned',
    files: CODE_FILES,
  },
  {
    word: /eslint-disable|@ts-ignore|@ts-nocheck|@ts-expect-error/,
    why: 'fix what it hides',
    files: TYPESCRIPT_FILES,
  },
  { word: /\|\|\s*true\b/, why: 'a failure is an answer, not to be swallowed', files: SHELL_FILES },
  { word: /\beval\b/, why: 'no text becomes a command', files: SHELL_FILES },
  { word: /(^|[^\w/.-])\/(work|tmp\/brief)\//, why: 'a path of one machine' },
  {
    word: /registry\.npmjs\.org|registry\.yarnpkg|"resolved":/,
    why: "the registry is the reader's choice",
  },
  {
    word: /-----BEGIN (EC |RSA |OPENSSH |ENCRYPTED )?PRIVATE KEY-----\n[A-Za-z0-9+/]/,
    why: 'a secret',
  },
  {
    word: /\bberth_[A-Za-z0-9_-]{43}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bAKIA[0-9A-Z]{16}\b/,
    why: 'a secret',
  },
]

test('words that are nowhere', async (t) => {
  for (const { word, why, files = TEXT_FILES } of FORBIDDEN) {
    for (const file of files.filter((one) => TEXT_FILES.includes(one))) {
      const text = textOf(file)
      const found = word.exec(text)
      if (found)
        t.fail(
          `${file}:${text.slice(0, found.index).split('\n').length} has "${found[0].trim()}": ${why}`,
        )
    }
  }
})

/** Where time itself is part of what is played; what comes of it is waited for by condition there too. */
const PAUSES: Readonly<Record<string, string>> = {
  'test/broker/jobs/simulation.test.ts': 'rests are acts of the random walk',
}

/**
 * A test waits for a condition (test/support/until.ts), never for a time. Timers of callbacks are
 * something else: they are given a function.
 */
test('tests do not sleep', async (t) => {
  for (const file of TYPESCRIPT_FILES.filter(
    (one) => one.endsWith('.test.ts') && !(one in PAUSES),
  )) {
    const source = syntaxOf(file)
    for (const node of nodesOf(source)) {
      if (!ts.isAwaitExpression(node) || !ts.isCallExpression(node.expression)) continue
      const called = node.expression.expression.getText(source)
      const promiseOfTimer =
        /^new Promise/.test(node.expression.getText(source)) &&
        /setTimeout/.test(node.expression.getText(source))
      if (/^(delay|sleep|setTimeout|wait)$/.test(called) || promiseOfTimer)
        t.fail(`${file}:${lineOf(source, node)} waits for a time instead of a condition`)
    }
  }
})
