import type { ClientsXmlVersion, ClientsXmlVersionText } from '../api/clients-xml.js'
import { type Actor, recordEvent } from '../audit/store.js'
import { refusal } from '../errors/broker-error.js'
import type { Store } from '../store/open.js'
import { inTransaction } from '../store/transaction.js'

const MOST_KEPT = 50

interface NewVersion {
  readonly text: string
  readonly etag: string
  readonly clients: number
}

/** The last texts of clients.xml that were in force, by whoever brought them there. */
export class ClientsXmlVersions {
  constructor(readonly store: Store) {}

  /**
   * A text that is the last one already is no new version: the broker was started again, or
   * somebody touched the file.
   */
  async keep({ text, etag, clients }: NewVersion, by: Actor): Promise<void> {
    await inTransaction(this.store, async (tx) => {
      const last = await tx
        .selectFrom('clients_xml_version')
        .select('etag')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst()
      if (last?.etag === etag) return
      const { id } = await tx
        .insertInto('clients_xml_version')
        .values({
          at: Date.now(),
          author: by.actor,
          etag,
          clients,
          bytes: Buffer.byteLength(text),
          text,
        })
        .returning('id')
        .executeTakeFirstOrThrow()
      await tx
        .deleteFrom('clients_xml_version')
        .where(
          'id',
          'not in',
          tx.selectFrom('clients_xml_version').select('id').orderBy('id', 'desc').limit(MOST_KEPT),
        )
        .execute()
      await recordEvent(tx, by, 'clients-xml.replace', 'clients-xml', { clients, version: id })
    })
  }

  /** Newest first. */
  async list(): Promise<ClientsXmlVersion[]> {
    const rows = await this.store
      .selectFrom('clients_xml_version')
      .select(['id', 'at', 'author', 'etag', 'clients', 'bytes'])
      .orderBy('id', 'desc')
      .execute()
    return rows.map(({ author, at, ...row }) => ({
      ...row,
      by: author,
      at: new Date(at).toISOString(),
    }))
  }

  /** Throws `not_found`. */
  async get(id: number): Promise<ClientsXmlVersionText> {
    const row = await this.store
      .selectFrom('clients_xml_version')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst()
    if (!row) throw refusal('clients_xml_version_unknown', { version: id, most: MOST_KEPT })
    const { author, at, ...rest } = row
    return { ...rest, by: author, at: new Date(at).toISOString() }
  }
}
