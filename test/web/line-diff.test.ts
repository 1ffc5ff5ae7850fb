import { test } from 'tap'
import { aroundChanges, lineDiff } from '../../web/clients-xml/line-diff.js'

const shown = (before: string, after: string): string[] =>
  aroundChanges(lineDiff(before, after), 1).map((line) =>
    line === null
      ? '…'
      : `${{ same: ' ', gone: '-', new: '+' }[line.kind]}${line.line} ${line.text}`,
  )

test('lines that stay, go and come, each by its number in the text that it is of', async (t) => {
  t.same(shown('a\nb\nc', 'a\nx\nc'), [' 1 a', '-2 b', '+2 x', ' 3 c'])
  t.same(shown('a\nb\nc\nd\ne', 'a\nb\nc\nd\ne\nf'), [' 5 e', '+6 f'])
  t.same(shown('a\nb\nb\nc', 'b\nb\nc\na'), ['-1 a', ' 1 b', '…', ' 3 c', '+4 a'])
  t.same(shown('same', 'same'), [])
  t.same(shown('', 'a'), ['-1 ', '+1 a'])
})

test('a change at each end of a long file is two changes', async (t) => {
  const lines = Array.from({ length: 20_000 }, (_, index) => `line ${index}`)
  const changed = lines.with(1, 'x').with(-2, 'y')
  t.same(shown(lines.join('\n'), changed.join('\n')), [
    ' 1 line 0',
    '-2 line 1',
    '+2 x',
    ' 3 line 2',
    '…',
    ' 19998 line 19997',
    '-19999 line 19998',
    '+19999 y',
    ' 20000 line 19999',
  ])
})

test('a file that is another one altogether goes as a whole', async (t) => {
  const lines = Array.from({ length: 5_000 }, (_, index) => `line ${index}`)
  const diff = lineDiff(lines.join('\n'), lines.map((line) => `${line}x`).join('\n'))
  t.same(
    [diff[0]?.kind, diff[4_999]?.kind, diff[5_000]?.kind, diff.length],
    ['gone', 'gone', 'new', 10_000],
  )
})
