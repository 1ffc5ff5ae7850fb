import { Type } from '@sinclair/typebox'
import { ForceQuery, NameParams, strictObject } from '../api/common.js'
import {
  CopyRequest,
  GenerationList,
  ImportRequest,
  JobRef,
  PopulatePreview,
  PopulateQuery,
  PopulateRequest,
} from '../api/images.js'
import {
  DiscardChanges,
  ForeignDomain,
  Leftover,
  Machine,
  MachineAdopt,
  MachineCreate,
  MachineList,
  MachineMaintenance,
  MachinePatch,
  MachineQuery,
  MachinesAndJob,
  PowerRequest,
} from '../api/machines.js'
import { type App, callerOf, route } from '../http.js'
import type { GoldenImages } from './golden-images.js'
import type { Leftovers } from './leftovers.js'
import type { Machines } from './service.js'

export function machineRoutes(machines: Machines, images: GoldenImages, leftovers: Leftovers) {
  return (app: App): void => {
    newMachineRoutes(app, machines)
    hostRoutes(app, machines, leftovers)
    machineItselfRoutes(app, machines)
    stateRoutes(app, machines)
    populateRoutes(app, images)
    imageRoutes(app, images)
  }
}

function newMachineRoutes(app: App, machines: Machines): void {
  app.get(
    '/machines',
    route('All machines', { querystring: MachineQuery }, { 200: MachineList }),
    async (request) => ({ machines: await machines.list(request.query) }),
  )
  app.post(
    '/machines',
    route('Create one machine or many', { body: MachineCreate }, { 202: MachinesAndJob }),
    async (request, reply) =>
      await reply.code(202).send(await machines.create(request.body, callerOf(request))),
  )
  app.post(
    '/machines/adopt',
    route(
      'Take over a domain that exists on a host',
      { body: MachineAdopt },
      { 201: MachinesAndJob },
    ),
    async (request, reply) =>
      await reply.code(201).send(await machines.adopt(request.body, callerOf(request))),
  )
}

/** What of a host concerns Berth besides its machines. */
function hostRoutes(app: App, machines: Machines, leftovers: Leftovers): void {
  app.get(
    '/hypervisors/:name/domains',
    route(
      'Domains of a host that Berth does not know',
      { params: NameParams },
      { 200: strictObject({ domains: Type.Array(ForeignDomain) }) },
    ),
    async (request) => ({ domains: await machines.foreignDomains(request.params.name) }),
  )
  app.get(
    '/hypervisors/:name/leftovers',
    route(
      'What Berth still removes from a host',
      { params: NameParams },
      { 200: strictObject({ leftovers: Type.Array(Leftover) }) },
    ),
    async (request) => ({ leftovers: await leftovers.show(request.params.name) }),
  )
}

function machineItselfRoutes(app: App, machines: Machines): void {
  app.get(
    '/machines/:name',
    route('One machine', { params: NameParams }, { 200: Machine }),
    async (request) => await machines.show(request.params.name),
  )
  app.patch(
    '/machines/:name',
    route(
      'Change its type or hardware',
      { params: NameParams, body: MachinePatch },
      { 202: MachinesAndJob },
    ),
    async (request, reply) =>
      await reply
        .code(202)
        .send(await machines.change(request.params.name, request.body, callerOf(request))),
  )
  app.delete(
    '/machines/:name',
    route(
      'Delete it; with force what depends on it too',
      { params: NameParams, querystring: ForceQuery },
      { 202: JobRef },
    ),
    async (request, reply) =>
      await reply.code(202).send({
        job: await machines.remove(
          request.params.name,
          request.query.force ?? false,
          callerOf(request),
        ),
      }),
  )
  app.get(
    '/machines/:name/xml',
    route(
      'Its domain XML, without secrets',
      { params: NameParams },
      { 200: strictObject({ xml: Type.String() }) },
    ),
    async (request) => ({ xml: await machines.xml(request.params.name) }),
  )
}

function stateRoutes(app: App, machines: Machines): void {
  app.post(
    '/machines/:name/power',
    route(
      'Start, shutdown, reboot, reset, poweroff',
      { params: NameParams, body: PowerRequest },
      { 202: JobRef },
    ),
    async (request, reply) =>
      await reply.code(202).send({
        job: await machines.power(request.params.name, request.body, callerOf(request)),
      }),
  )
  app.put(
    '/machines/:name/maintenance',
    route(
      'Turn its maintenance on or off',
      { params: NameParams, body: MachineMaintenance },
      { 200: MachineList },
    ),
    async (request) => ({
      machines: await machines.setMaintenance(
        request.params.name,
        request.body.on,
        request.body.reason ?? '',
        request.body.children ?? false,
        callerOf(request),
      ),
    }),
  )
  app.put(
    '/machines/:name/discard-changes',
    route(
      'Turn the virtual snapshot on or off',
      { params: NameParams, body: DiscardChanges },
      { 202: MachinesAndJob },
    ),
    async (request, reply) =>
      await reply
        .code(202)
        .send(
          await machines.setDiscardChanges(request.params.name, request.body, callerOf(request)),
        ),
  )
}

/** From a source's disk to the machines that stand on it. */
function populateRoutes(app: App, images: GoldenImages): void {
  app.post(
    '/machines/:name/copy',
    route(
      'Copy disk from source: a new generation of this initial machine',
      { params: NameParams, body: CopyRequest },
      { 202: JobRef },
    ),
    async (request, reply) =>
      await reply.code(202).send({
        job: await images.copy(request.params.name, request.body.source, callerOf(request)),
      }),
  )
  app.post(
    '/machines/:name/populate',
    route(
      'Populate machines: overlays on a generation of this initial machine',
      { params: NameParams, body: PopulateRequest },
      { 202: JobRef },
    ),
    async (request, reply) =>
      await reply.code(202).send({
        job: await images.populate(request.params.name, request.body, callerOf(request)),
      }),
  )
  app.get(
    '/machines/:name/populate',
    route(
      'What populate would do now, machine by machine',
      { params: NameParams, querystring: PopulateQuery },
      { 200: PopulatePreview },
    ),
    async (request) => await images.preview(request.params.name, request.query.generation),
  )
}

function imageRoutes(app: App, images: GoldenImages): void {
  app.get(
    '/machines/:name/generations',
    route('The images of an initial machine', { params: NameParams }, { 200: GenerationList }),
    async (request) => ({ generations: await images.generations(request.params.name) }),
  )
  app.post(
    '/machines/:name/import',
    route(
      'Take a disk image from the import directory of its hypervisor',
      { params: NameParams, body: ImportRequest },
      { 202: JobRef },
    ),
    async (request, reply) =>
      await reply.code(202).send({
        job: await images.importImage(request.params.name, request.body.path, callerOf(request)),
      }),
  )
}
