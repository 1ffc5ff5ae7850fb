import type { FastifyRequest } from 'fastify'
import { IdParams } from '../api/common.js'
import { AskAnswer, AskRequest, AssignRequest, ClientsXmlCheck, ClientsXmlState, ClientsXmlText, ReportAnswer, ReportRequest, ThinClient, ThinClientList } from '../api/thin-clients.js'
import { recordEvent } from '../audit/store.js'
import { abortedWith, type App, callerOf, NoContent, route } from '../http.js'
import type { Store } from '../store/open.js'
import type { ClientsXmlFile } from './clients-file.js'
import type { Place, ThinClients } from './service.js'

/** Questions of one address a minute: a waiting device asks a few times; ten thousand behind one address, all told at once, must not be turned away. */
const QUESTIONS_A_MINUTE = 30_000

export function thinClientRoutes (thinClients: ThinClients, clientsXml: ClientsXmlFile, store: Store) {
  return (app: App): void => {
    const limited = { rateLimit: { max: QUESTIONS_A_MINUTE, timeWindow: 60_000 } }
    const ask = route('What should this thin client do now?', { body: AskRequest }, { 200: AskAnswer })
    app.post('/thin-clients/ask', { ...ask, config: limited }, async (request, reply) => {
      return await thinClients.ask({ request: request.body, key: deviceKey(request), address: request.ip }, abortedWith(reply))
    })
    const report = route('What this thin client shows; the answer says what is to be said over it', { body: ReportRequest }, { 200: ReportAnswer })
    app.post('/thin-clients/report', { ...report, config: limited }, async (request, reply) => {
      return await thinClients.report(placeOf(request, request.body.macs), request.body, abortedWith(reply))
    })
    app.get('/thin-clients', route('All thin clients that were seen', {}, { 200: ThinClientList }), async () => ({ thinClients: await thinClients.list() }))
    app.put('/thin-clients/:id/assignment', route('A machine for this device, before clients.xml is asked', { params: IdParams, body: AssignRequest }, { 200: ThinClient }), async (request) => await thinClients.assign(request.params.id, request.body.machine, callerOf(request)))
    app.post('/thin-clients/:id/accept', route('Accept it, or accept it anew without its key', { params: IdParams }, { 200: ThinClient }), async (request) => await thinClients.accept(request.params.id, callerOf(request)))
    app.delete('/thin-clients/:id', route('Forget it', { params: IdParams }, { 204: NoContent }), async (request, reply) => {
      await thinClients.remove(request.params.id, callerOf(request))
      return await reply.code(204).send()
    })
    app.get('/clients-xml', route('clients.xml as it is in force', {}, { 200: ClientsXmlState }), () => ({
      path: clientsXml.deps.path, text: clientsXml.text(), loadedAt: clientsXml.loadedAt === null ? null : new Date(clientsXml.loadedAt).toISOString(), clients: clientsXml.current.clients.length, faults: [...clientsXml.faults],
    }))
    app.put('/clients-xml', route('Write and load clients.xml', { body: ClientsXmlText }, { 200: ClientsXmlCheck }), async (request) => {
      const { file, faults } = await clientsXml.replace(request.body.text)
      await recordEvent(store, callerOf(request), 'clients-xml.replace', 'clients-xml', { clients: file?.clients.length ?? 0 })
      return { accepted: true, clients: file?.clients.length ?? 0, faults }
    })
    app.post('/clients-xml/check', route('Check a clients.xml; nothing changes', { body: ClientsXmlText }, { 200: ClientsXmlCheck }), async (request) => {
      const { file, faults } = await clientsXml.check(request.body.text)
      return { accepted: file !== null, clients: file?.clients.length ?? 0, faults }
    })
  }
}

/** From where a device asks, with the key that it shows. */
export function placeOf (request: FastifyRequest, macs: readonly string[]): Place { return { macs, key: deviceKey(request), address: request.ip } }

/** `authorization: Device KEY`: 64 hex digits. */
function deviceKey (request: FastifyRequest): string | null {
  return /^Device ([0-9a-f]{64})$/i.exec(request.headers.authorization ?? '')?.[1]?.toLowerCase() ?? null
}
