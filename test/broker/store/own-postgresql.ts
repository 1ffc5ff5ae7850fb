import t from 'tap'
import { type Store } from '../../../broker/store/open.js'
import { PostgresqlServer } from '../../support/postgresql-server.js'

export const server = new PostgresqlServer().start()
t.teardown(() => {
  server.remove()
})

export async function put(store: Store, name: string, value = ''): Promise<void> {
  await store.insertInto('setting').values({ name, value }).execute()
}
export async function valueOf(store: Store, name: string): Promise<string | undefined> {
  const row = await store
    .selectFrom('setting')
    .select('value')
    .where('name', '=', name)
    .executeTakeFirst()
  return row?.value
}
