import { type Static, Type } from '@sinclair/typebox'
import { oneOf, strictObject } from './common.js'

/** What may have changed; each is a part of the API that a page shows. */
export const TOPICS = [
  'hypervisors',
  'machines',
  'generations',
  'jobs',
  'pools',
  'desktops',
  'sessions',
  'thin-clients',
  'clients-xml',
  'people',
  'grants',
  'events',
  'history',
] as const
export const Topic = oneOf(TOPICS)
export type Topic = Static<typeof Topic>

export const LiveQuery = strictObject({
  after: Type.Optional(
    Type.String({
      maxLength: 100,
      description: 'As the header Last-Event-ID, for a stream that is reopened',
    }),
  ),
})

/**
 * GET /live, server-sent events. `hello`: it begins. `change`: these topics have changed, so look
 * again; what has changed is told only to who may ask for it. Its id resumes the stream
 * (`Last-Event-ID`): what changed meanwhile comes as one event. `still`: nothing has, but the line
 * stands. `end`: the login is over.
 */
export const Change = strictObject({ topics: Type.Array(Topic) })
export type Change = Static<typeof Change>
