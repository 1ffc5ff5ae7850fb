import t from 'tap'
import { expandNames } from '../../../broker/machines/names.js'

t.test('names are counted up', async (t) => {
  const table: ReadonlyArray<
    readonly [pattern: string, count: number, first: number, names: readonly string[]]
  > = [
    ['golden', 1, 1, ['golden']],
    ['pc-{n}', 1, 1, ['pc-1']],
    ['pc-{n}', 3, 9, ['pc-9', 'pc-10', 'pc-11']],
    ['pc-{nn}', 3, 1, ['pc-01', 'pc-02', 'pc-03']],
    ['pc-{nn}', 2, 99, ['pc-99', 'pc-100']],
    ['{nnn}.lab', 2, 7, ['007.lab', '008.lab']],
    ['room_{n}-pc', 2, 0, ['room_0-pc', 'room_1-pc']],
  ]
  for (const [pattern, count, first, names] of table)
    t.same(expandNames(pattern, count, first), names, `${pattern} × ${count} from ${first}`)
})

t.test('what cannot be a name is refused in a sentence that names it', async (t) => {
  const table: ReadonlyArray<readonly [pattern: string, count: number, sentence: RegExp]> = [
    ['pc-{n}-{n}', 2, /pc-\{n\}-\{n\} holds more than one number: use \{n\} or \{nn\} once/],
    ['pc', 2, /2 machines need a number in their name: write for example pc-\{nn\}/],
    ['pc {n}', 1, /"pc 1" cannot be a machine's name: letters, digits/],
    ['../pc', 1, /"\.\.\/pc" cannot be a machine's name/],
    ['$(reboot)', 1, /cannot be a machine's name/],
    ['-pc', 1, /cannot be a machine's name/],
    ['pc{m}', 1, /cannot be a machine's name/],
    ['büro', 1, /cannot be a machine's name/],
    ['', 1, /cannot be a machine's name/],
    ['x'.repeat(64), 1, /at most 63/],
    [`${'x'.repeat(60)}-{nnn}`, 1, /at most 63/],
    ['base.g7', 1, /"base\.g7" ends like a generation of an image: choose another name/],
    ['base.g{n}', 1, /"base\.g1" ends like a generation/],
  ]
  for (const [pattern, count, message] of table)
    t.throws(
      () => expandNames(pattern, count, 1),
      { name: 'BrokerError', code: 'invalid_request', message },
      pattern.slice(0, 20),
    )
})
