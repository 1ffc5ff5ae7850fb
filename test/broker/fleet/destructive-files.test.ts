import t from 'tap'
import { ROWS, walkOperations } from './destructive-walk.js'

t.setTimeout(900_000)

walkOperations(Object.keys(ROWS).slice(12))
