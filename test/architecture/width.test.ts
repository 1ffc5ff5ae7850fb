import { test } from 'tap'
import { CODE_FILES, textOf } from './tree.js'

/** The formatter fills lines up to 100 columns, and breaks neither texts nor comments. */
const MOST_COLUMNS = 120

test(`no line of code is wider than ${MOST_COLUMNS} columns`, async (t) => {
  for (const file of CODE_FILES.filter((one) => /\.(tsx?|css|sql|py)$/.test(one)))
    for (const [index, line] of textOf(file).split('\n').entries())
      if (line.length > MOST_COLUMNS) t.fail(`${file}:${index + 1} has ${line.length} columns`)
})
