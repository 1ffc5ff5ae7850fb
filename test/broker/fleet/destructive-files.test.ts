import t from 'tap'
import { ROWS } from './destructive-rows.js'
import { walkOperations } from './destructive-walk.js'

t.setTimeout(900_000)

walkOperations(Object.keys(ROWS).slice(12))
