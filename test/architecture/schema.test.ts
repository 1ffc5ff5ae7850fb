import { createHash } from 'node:crypto'
import { test } from 'tap'
import { sqliteBlocks } from '../../broker/store/migrations.js'
import { textOf } from './tree.js'

/**
 * SHA-256 of each block of sqlite.sql that was released; a database out there has it. A new release
 * adds its block's.
 */
const RELEASED: readonly string[] = []

test('released blocks of sqlite.sql are never edited', async (t) => {
  const blocks = sqliteBlocks()
  t.ok(blocks.length >= Math.max(1, RELEASED.length), 'no block is missing')
  RELEASED.forEach((hash, index) => {
    t.equal(
      createHash('sha256')
        .update(blocks[index] ?? '')
        .digest('hex'),
      hash,
      `block ${index + 1} is as it was released`,
    )
  })
})

test('no version is released whose schema is not fixed here', async (t) => {
  const { version } = JSON.parse(textOf('package.json')) as { version: string }
  if (textOf('CHANGELOG.md').includes(`## [${version}]`))
    t.equal(
      RELEASED.length,
      sqliteBlocks().length,
      `version ${version} is released: enter the hashes of its blocks`,
    )
  else t.pass('this version is not released yet')
})
