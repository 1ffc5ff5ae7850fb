import t from 'tap'
import { openLog } from '../../broker/log.js'

const SECRET = 'correct-horse-battery-staple'
const TOKEN = `berth_${'aB3-_'.repeat(8)}xyz`
const DEVICE_KEY = '0123456789abcdef'.repeat(4)

function lineOf(...args: [object, string]): string {
  const lines: string[] = []
  openLog('debug', {
    write: (line) => {
      lines.push(line)
    },
  }).debug(...args)
  return lines.join('')
}

t.test('a secret is taken out by the name of its field, however deep it lies', async (t) => {
  for (const field of [
    'password',
    'oldPassword',
    'newPassword',
    'token',
    'deviceKey',
    'key',
    'privateKey',
    'secret',
    'ticket',
    'authorization',
    'cookie',
    'set-cookie',
  ]) {
    const leaf = { [field]: SECRET, kept: 'seen' }
    for (const logged of [leaf, { a: leaf }, { a: { b: leaf } }, { a: { b: { c: leaf } } }]) {
      const line = lineOf(logged, 'a message')
      t.notOk(line.includes(SECRET), `${field}: ${line}`)
      t.ok(line.includes('[secret]') && line.includes('seen') && line.includes('a message'))
    }
  }
})

t.test('and by its look, in a message, an error and a value', async (t) => {
  const error = new Error(`GET with Bearer ${TOKEN} failed`, {
    cause: new Error(`authorization: Device ${DEVICE_KEY}`),
  })
  for (const line of [
    lineOf({ err: error }, 'it failed'),
    lineOf({ argv: ['--token', TOKEN] }, 'started'),
    lineOf({}, `token ${TOKEN}`),
    lineOf({ header: `Basic ${Buffer.from(`admin:${SECRET}`).toString('base64')}` }, 'x'),
  ]) {
    t.notOk(
      line.includes(TOKEN) ||
        line.includes(DEVICE_KEY) ||
        line.includes(Buffer.from(SECRET).toString('base64').slice(4, 20)),
      line,
    )
    t.ok(line.includes('[secret]'), line)
    t.type(JSON.parse(line), 'object', 'it is still one line of JSON')
  }
})

t.test('what is no secret stays as it is', async (t) => {
  t.match(
    JSON.parse(
      lineOf(
        {
          machine: 'pc-1',
          account: 'admin',
          passwordFile: '/var/lib/berth/admin-password',
          subject: 'berth_x',
        },
        'Device pc-1 asks',
      ),
    ),
    {
      machine: 'pc-1',
      account: 'admin',
      passwordFile: '/var/lib/berth/admin-password',
      subject: 'berth_x',
      msg: 'Device pc-1 asks',
    },
  )
})
