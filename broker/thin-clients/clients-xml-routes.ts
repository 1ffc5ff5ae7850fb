import type { FastifyRequest } from 'fastify'
import {
  ClientsXmlCheck,
  ClientsXmlCheckRequest,
  ClientsXmlHistory,
  ClientsXmlPut,
  ClientsXmlState,
  ClientsXmlVersionText,
  type DeviceEffect,
  VersionParams,
} from '../api/clients-xml.js'
import { type App, callerOf, route } from '../http.js'
import { type ClientsXmlFile, etagOf } from './clients-file.js'
import type { ClientsFile } from './clients-xml.js'

/** Of the devices that get something else, so many are named. */
const MOST_NAMED = 200
/** A large file takes a second of the one thread. */
const CHECKS = {
  rateLimit: {
    max: 30,
    timeWindow: 60_000,
    keyGenerator: (request: FastifyRequest) => request.caller?.login ?? request.ip,
  },
}

/** Which devices would get something else by this file than by the one in force. */
type EffectsOf = (file: ClientsFile) => Promise<DeviceEffect[]>

export function clientsXmlRoutes(clientsXml: ClientsXmlFile, effects: EffectsOf) {
  return (app: App): void => {
    fileRoutes(app, clientsXml)
    checkRoute(app, clientsXml, effects)
    historyRoutes(app, clientsXml)
  }
}

function fileRoutes(app: App, clientsXml: ClientsXmlFile): void {
  app.get(
    '/clients-xml',
    route('clients.xml on the disk, and what of it is in force', {}, { 200: ClientsXmlState }),
    () => {
      const text = clientsXml.text()
      return {
        path: clientsXml.deps.path,
        text,
        etag: etagOf(text),
        loadedAt: clientsXml.loadedAt === null ? null : new Date(clientsXml.loadedAt).toISOString(),
        clients: clientsXml.current.clients.length,
        faults: [...clientsXml.faults],
      }
    },
  )
  app.put(
    '/clients-xml',
    route('Write and load clients.xml', { body: ClientsXmlPut }, { 200: ClientsXmlCheck }),
    async (request) => {
      const { file, faults } = await clientsXml.replace(
        request.body.text,
        callerOf(request),
        request.body.have,
      )
      return { accepted: true, clients: file?.clients.length ?? 0, faults }
    },
  )
}

function checkRoute(app: App, clientsXml: ClientsXmlFile, effects: EffectsOf): void {
  app.post(
    '/clients-xml/check',
    {
      ...route(
        'Check a clients.xml; nothing changes',
        { body: ClientsXmlCheckRequest },
        { 200: ClientsXmlCheck },
      ),
      config: CHECKS,
    },
    async (request) => {
      const { file, faults } = await clientsXml.check(request.body.text)
      const checked = { accepted: file !== null, clients: file?.clients.length ?? 0, faults }
      if (file === null || request.body.devices !== true) return checked
      const changed = await effects(file)
      return {
        ...checked,
        effects: { count: changed.length, devices: changed.slice(0, MOST_NAMED) },
      }
    },
  )
}

function historyRoutes(app: App, clientsXml: ClientsXmlFile): void {
  app.get(
    '/clients-xml/history',
    route('The last texts that were in force, newest first', {}, { 200: ClientsXmlHistory }),
    async () => ({ versions: await clientsXml.versions.list() }),
  )
  app.get(
    '/clients-xml/history/:id',
    route('One of them', { params: VersionParams }, { 200: ClientsXmlVersionText }),
    async (request) => await clientsXml.versions.get(request.params.id),
  )
}
