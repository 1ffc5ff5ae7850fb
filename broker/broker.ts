import { readFileSync } from 'node:fs'
import type { Logger } from 'pino'
import { inNetworks, networksOf } from './addresses.js'
import { inBackground } from './background.js'
import { buildApp } from './app.js'
import { assembleHandingOut } from './assignments/assembly.js'
import { allObjectFacts, objectFacts } from './assignments/object-facts.js'
import { assignmentRoutes } from './assignments/routes.js'
import { StartTimes } from './assignments/start-times.js'
import { authentication } from './authentication.js'
import { chainOldRows, HeadLog } from './audit/chain.js'
import { consoleAnswers, machineAnswers, queueAnswer } from './answers.js'
import { Authority, curlPin } from './certificates/authority.js'
import { ServerTls } from './certificates/server-tls.js'
import { type Config, dataFile } from './config.js'
import { mayTakeAway } from './consoles/rights.js'
import { consoleRoutes } from './consoles/routes.js'
import { Consoles } from './consoles/service.js'
import { Thumbnails } from './consoles/thumbnails.js'
import { acceptUpgrades } from './consoles/upgrades.js'
import { DrainKeeper } from './draining/keeper.js'
import { drainRoutes } from './draining/routes.js'
import { Drains } from './draining/service.js'
import { checkJob } from './doctor/check-job.js'
import { doctorRoutes } from './doctor/routes.js'
import { Doctor } from './doctor/service.js'
import { historyRoutes } from './history/routes.js'
import { Retention } from './history/retention.js'
import { HouseHistory } from './history/service.js'
import { ReverseProxies } from './forwarded.js'
import type { App } from './http.js'
import { ownHelperVersion } from './hypervisors/helper-version.js'
import { LibvirtProcesses } from './hypervisors/libvirt-processes.js'
import { SshLink } from './hypervisors/link.js'
import { ownKey } from './hypervisors/own-key.js'
import { removeOrphanedSockets } from './hypervisors/socket-forward.js'
import { prepareHost } from './hypervisors/prepare.js'
import { hypervisorRoutes } from './hypervisors/routes.js'
import { Hypervisors, type OpenLink } from './hypervisors/service.js'
import { Collector } from './images/collector.js'
import { copyJob } from './images/copy-job.js'
import { importJob } from './images/import-job.js'
import type { StepHook } from './jobs/context.js'
import { Changes } from './live/changes.js'
import { liveRoutes } from './live/routes.js'
import { Streams } from './live/streams.js'
import { jobRoutes } from './jobs/routes.js'
import { JobRunner } from './jobs/runner.js'
import { GoldenImages } from './machines/golden-images.js'
import { defineJob, deleteJob, powerJob } from './machines/jobs.js'
import { Endings } from './machines/endings.js'
import { Leftovers } from './machines/leftovers.js'
import { Observer } from './machines/observer.js'
import { populateJob } from './machines/populate-job.js'
import { Power } from './machines/power.js'
import { machineRoutes } from './machines/routes.js'
import { Restarts } from './machines/restarts.js'
import { Machines } from './machines/service.js'
import { Metrics } from './metrics.js'
import { operationsRoutes } from './operations.js'
import { Occupancy } from './occupancy/occupancy.js'
import { Documents } from './pools/documents.js'
import { poolRoutes } from './pools/routes.js'
import { lockDataDirectory } from './store/data-directory.js'
import { ReadinessProbe } from './readiness.js'
import { SteadyClock } from './steady-clock.js'
import { openStore, type Store } from './store/open.js'
import { ClientsXmlFile } from './thin-clients/clients-file.js'
import { clientsXmlRoutes } from './thin-clients/clients-xml-routes.js'
import { deviceCodeRoutes } from './thin-clients/code-routes.js'
import { deviceLoginRoutes } from './thin-clients/login-routes.js'
import { thinClientRoutes } from './thin-clients/routes.js'
import { codeSecretOf } from './thin-clients/askers.js'
import { ThinClients } from './thin-clients/service.js'
import { KnownBrowsers, knownSecretOf } from './users/known-browsers.js'
import { OwnSite } from './users/own-site.js'
import { Providers } from './users/providers.js'
import { sessionRoutes } from './users/session-routes.js'
import { Sessions } from './users/sessions.js'
import { TrustedProxy } from './users/trusted-proxy.js'
import { userRoutes } from './users/routes.js'
import { accountRoutes } from './users/account-routes.js'
import { Accounts } from './users/accounts.js'
import { auditRoutes } from './users/audit-routes.js'
import { Directories } from './users/directories.js'
import { Grants } from './users/grants.js'
import { grantRoutes } from './users/grant-routes.js'
import { Permissions } from './users/permissions.js'
import { Users } from './users/service.js'

export interface BrokerOptions {
  readonly config: Config
  readonly log: Logger
  /** A test stops the process between two steps of a job here. */
  readonly hook?: StepHook
  /** For tests: a request must have come in within this time. */
  readonly requestWithinMs?: number
  /** Other hypervisors than real ones: simulated ones, for scale and for seeds of randomness. */
  readonly hosts?: { readonly openLink: OpenLink }
}

export interface Broker {
  readonly app: App
  readonly port: number
  readonly caFingerprint: string
  readonly madeAdministrator: boolean
  stop(): Promise<void>
}

export const VERSION = (
  JSON.parse(
    readFileSync(
      new URL(
        import.meta.url.endsWith('.ts') ? '../package.json' : '../../package.json',
        import.meta.url,
      ),
      'utf8',
    ),
  ) as { version: string }
).version

const HOST_AND_PORT = /^([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?$/

/** Whether a host knows the broker's SSH key. */
async function hasHypervisor(store: Store): Promise<boolean> {
  return (
    (await store.selectFrom('hypervisor').select('name').limit(1).executeTakeFirst()) !== undefined
  )
}

/** Whether anybody trusts the broker's CA: a host has a certificate of it, or a thin client has pinned it. */
async function isCaTrusted(store: Store): Promise<boolean> {
  const device = await store.selectFrom('thin_client').select('id').limit(1).executeTakeFirst()
  return device !== undefined || (await hasHypervisor(store))
}

/** Makes every object, connects them and listens. The only place that knows everything. Throws when the data directory is in use or damaged. */
export async function startBroker({
  config,
  log,
  hook,
  hosts,
  requestWithinMs,
}: BrokerOptions): Promise<Broker> {
  const unlock = lockDataDirectory(config.dataDir)
  const changes = new Changes()
  const store = openStore(dataFile(config, 'berth.sqlite'), (table, kind) => {
    changes.wrote(table, kind)
  })
  const authority = await Authority.open(config.dataDir, () => isCaTrusted(store))
  const key = await ownKey(dataFile(config, 'ssh-key'), {
    log,
    isEnrolled: async () =>
      (await store.selectFrom('hypervisor').select('name').limit(1).executeTakeFirst()) !==
      undefined,
  })
  const clock = new SteadyClock()
  const directories = new Directories(config.directories, log)
  const users = new Users({
    store,
    log,
    directories,
    sessions: new Sessions(store, config, () => clock.now()),
    clock,
    tokenLifetimeMs: config.tokenLifetimeMs,
  })
  const accounts = new Accounts({
    store,
    limits: users.limits,
    releaseDesktops: async (key, by) => {
      await assignments.releaseAllOf(`user:${key}`, 'its account was deleted', by)
    },
  })
  const providers = new Providers({
    store,
    log,
    settings: config.oidcProviders,
    now: () => clock.now(),
  })
  const madeAdministrator = await users.createFirstAdministrator(dataFile(config, 'admin-password'))
  await users.forgetExpired()
  await chainOldRows(store)
  const headLog = new HeadLog(store, log)

  await removeOrphanedSockets()
  const processes = new LibvirtProcesses(config.libvirtProcesses)
  const toRealHost: OpenLink = (name, settings, events) =>
    new SshLink(name, { settings, events, privateKey: key.privateKey, processes, log })
  const occupancy = new Occupancy({
    monotonicMs: () => performance.now(),
    maxAgeMs: config.observationAgeMs,
  })
  const hypervisors: Hypervisors = new Hypervisors({
    store,
    log,
    occupancy,
    openLink: hosts?.openLink ?? toRealHost,
    prepare: async (link, row) => {
      if (!hosts)
        await prepareHost(
          {
            authority,
            log,
            onVirtType: async (name, type) => {
              await hypervisors.setVirtType(name, type)
            },
            onListen: async (name, address) => {
              await hypervisors.setListen(name, address)
            },
          },
          link,
          row,
        )
    },
  })
  const observer = new Observer({
    store,
    hypervisors,
    occupancy,
    log,
    everyMs: config.observeEveryMs,
    displayTimeoutMs: config.displayTimeoutMs,
  })
  const jobs = new JobRunner({ store, log, ...(hook ? { hook } : {}) })
  const power = new Power({ store, hypervisors, observer, ...machineAnswers(store) })
  const machines = new Machines({
    store,
    hypervisors,
    jobs,
    observer,
    shutdownTimeoutMs: config.shutdownTimeoutMs,
    ...machineAnswers(store),
  })
  const goldenImages = new GoldenImages({
    store,
    hypervisors,
    jobs,
    observer,
    inUse: async (id) => await assignments.inUse(id),
  })
  const endings = new Endings({ hypervisors, monotonicMs: () => performance.now() })
  const restarts = new Restarts({ store, endings, observer, machines, log })
  const objects = { store, facts: objectFacts(store), allFacts: allObjectFacts(store) }
  const grants = new Grants(objects)
  const permissions = new Permissions(objects)
  const handingOut = assembleHandingOut({
    store,
    hypervisors,
    observer,
    endings,
    machines,
    goldenImages,
    jobs,
    log,
    releaseAfterMs: config.releaseAfterMs,
    graceMs: config.observationGraceMs,
    now: Date.now,
    monotonicMs: () => performance.now(),
    mayHave: queueAnswer(store, permissions),
    watchersOf: (machineId) => consoles.watchers(machineId),
  })
  const { assignments, claims, pools } = handingOut
  changes.subscribe((topics) => {
    // What a machine's metadata says of these has no event of its own.
    if (topics.includes('grants') || topics.includes('generations')) handingOut.mirror.sweepSoon()
  })
  const documents = new Documents({ store, pools })
  const drainFacts = {
    store,
    hypervisors,
    observer,
    releaseAfterMs: config.releaseAfterMs,
    now: Date.now,
    desktops: async () => await assignments.desktops(),
  }
  const drains: Drains = new Drains({
    ...drainFacts,
    wake: () => {
      drainKeeper.wake()
    },
    tell: (machineIds) => {
      for (const id of machineIds) claims.emit('changed', id)
    },
  })
  const drainKeeper: DrainKeeper = new DrainKeeper({
    ...drainFacts,
    claims,
    hosts: handingOut.hosts,
    machines,
    pools,
    jobs,
    log,
    othersOn: async (name) => await drains.othersOn(name),
  })
  const consoles: Consoles = new Consoles({
    store,
    hypervisors,
    observer,
    log,
    ca: authority.certificate,
    now: Date.now,
    proxyPort: config.consoleProxyPort,
    listenAddress: config.listenAddress,
    publicName: config.publicNames[0] ?? 'localhost',
    ...consoleAnswers({ store, permissions, assignments }),
    loginLives: async (login) => await users.deps.sessions.lives(login),
  })
  changes.onWrite((table, kind) => {
    // Its first question waits behind the transaction that writes: there is one connection.
    if (mayTakeAway(table, kind) && consoles.tunnels.size > 0) consoles.checkSoon()
  })
  consoles.on('watched', (machineId) => {
    claims.emit('changed', machineId)
    for (const topic of ['sessions', 'desktops'] as const) changes.note(topic)
  })
  claims.on('ended', (machineId) => {
    inBackground({
      log,
      what: 'consoles.end',
      work: () => consoles.endAll(machineId),
      retries: 8,
    })
  })
  const offers = {
    store,
    permissions,
    startTimes: new StartTimes({ store, monotonicMs: () => performance.now() }),
    sessions: async (machines: readonly string[]) => await consoles.sessions(machines),
    desktops: async (holder: string) => await assignments.desktops({ holder }),
  }
  const clientsXml = new ClientsXmlFile({
    path: config.clientsXmlPath,
    store,
    horizonServer: config.horizonServer,
    log,
  })
  const thinClients = new ThinClients({
    store,
    hypervisors,
    observer,
    machines,
    assignments,
    claims,
    pools,
    jobs,
    clientsXml,
    consoles,
    users,
    providers,
    permissions,
    log,
    onSeen: () => {
      changes.note('thin-clients')
    },
    networks: config.thinClientNetworks,
    codeSecret: await codeSecretOf(store),
    horizonServer: config.horizonServer,
    loginIdleMs: config.thinClientLoginIdleMs,
  })
  changes.subscribe((topics) => {
    if (topics.includes('people')) thinClients.noteAccounts()
  })
  const retention = new Retention({
    store,
    log,
    now: Date.now,
    jobsKeptMs: config.jobsKeptMs,
    eventsKeptMs: config.eventsKeptMs,
  })
  const history = new HouseHistory({ store, log, now: Date.now })
  const collector = new Collector({ store, hypervisors, jobs, log, ...(hook ? { hook } : {}) })
  const images = {
    store,
    link: (name: string) => hypervisors.link(name),
    requireOff: async (name: string) => {
      await observer.requireOff(name)
    },
  }
  const leftovers = new Leftovers({ store, hypervisors, log })
  const machineJobs = { store, hypervisors, observer, power, leftovers, ...machineAnswers(store) }
  jobs.register(copyJob(images))
  jobs.register(importJob(images))
  jobs.register(powerJob(machineJobs))
  jobs.register(defineJob(machineJobs))
  jobs.register(deleteJob(machineJobs))
  jobs.register(
    checkJob({
      store,
      hypervisors,
      ca: authority.certificate,
      ownHelperVersion: hosts ? () => 'simulated' : ownHelperVersion,
    }),
  )
  jobs.register(
    populateJob({ ...machineJobs, images, inUse: async (id) => await assignments.inUse(id) }),
  )

  const tls = await ServerTls.open(config, authority, log)
  const installLine = (asked: string | null): string => {
    // It is pasted into a root's shell: a Host header that is no address is not repeated.
    const host =
      asked !== null && HOST_AND_PORT.test(asked)
        ? asked
        : `${config.publicNames[0] ?? 'localhost'}:${config.listenPort}`
    return `curl -fsSk --pinnedpubkey '${curlPin(tls.keys.cert)}' https://${host}/install/hypervisor.sh | bash`
  }
  const site = new OwnSite(config.siteNames)
  const thumbnails = new Thumbnails({
    hypervisors,
    now: Date.now,
    connected: async (machine) =>
      (await consoles.sessions([machine])).map(({ holder }) => holder?.name ?? ''),
  })
  const peopleRoutes = [
    userRoutes(users),
    sessionRoutes({
      users,
      providers,
      publicNames: config.publicNames,
      site,
      known: new KnownBrowsers(await knownSecretOf(store)),
      mark: () => changes.mark,
    }),
    accountRoutes(accounts, directories, users.tokens),
    grantRoutes(grants),
    auditRoutes(store),
  ]
  hypervisors.on('change', () => {
    for (const topic of ['hypervisors', 'machines'] as const) changes.note(topic)
  })
  clientsXml.on('look', () => {
    changes.note('clients-xml')
  })
  for (const event of ['looked', 'unseen'] as const)
    observer.on(event, () => {
      changes.noteSeldom('hypervisors')
    })
  observer.on('viewers', () => {
    for (const topic of ['machines', 'sessions'] as const) changes.note(topic)
  })
  const proxies = new ReverseProxies(
    [...config.trustedProxies, ...networksOf(config.trustedProxy?.addresses ?? [])],
    log,
  )
  const authenticate = authentication(users, new TrustedProxy(config.trustedProxy, log), site)
  const streams = new Streams({ changes, stillIn: authenticate, log })
  const app = await buildApp({
    log,
    tls: tls.keys,
    authenticate,
    permissions,
    version: VERSION,
    changes,
    connections: {
      log,
      mostOfAddress: config.connectionsPerAddress,
      isTrusted: (address) => inNetworks(config.thinClientNetworks, address),
      isProxy: proxies.trusts,
    },
    proxies,
    ...(requestWithinMs === undefined ? {} : { requestWithinMs }),
    routes: [
      hypervisorRoutes(hypervisors, installLine),
      drainRoutes(drains),
      doctorRoutes(new Doctor({ store, hypervisors, jobs })),
      machineRoutes(machines, goldenImages, leftovers),
      consoleRoutes(consoles, thumbnails, site),
      poolRoutes(pools, documents, assignments, { store, permissions }),
      assignmentRoutes(assignments, { store, hypervisors, observer, now: Date.now }, offers),
      historyRoutes(history),
      jobRoutes(jobs, streams),
      thinClientRoutes(thinClients),
      clientsXmlRoutes(clientsXml, async (file) => await thinClients.effects(file)),
      deviceLoginRoutes(thinClients, config.publicNames),
      deviceCodeRoutes(thinClients.codes),
      liveRoutes({ changes, streams }),
      ...peopleRoutes,
    ],
    rootRoutes: [
      operationsRoutes({
        readiness: new ReadinessProbe(store),
        metrics: new Metrics({
          store,
          hypervisors,
          occupancy,
          claims,
          sessions: async () => await consoles.sessions(),
        }),
        authority,
        publicKey: key.publicKey,
      }),
    ],
  })
  acceptUpgrades(app)
  await hypervisors.start()
  await clientsXml.start()
  for (const part of [
    headLog,
    users,
    endings,
    observer,
    restarts,
    handingOut,
    drainKeeper,
    thinClients,
    collector,
    leftovers,
    history,
    retention,
  ])
    part.start()
  await consoles.start()
  await app.listen({ host: config.listenAddress, port: config.listenPort })
  tls.follow(app.server)
  await jobs.start()
  const address = app.server.address()
  return {
    app,
    caFingerprint: tls.fingerprint,
    madeAdministrator,
    port: typeof address === 'object' && address ? address.port : config.listenPort,
    stop: async () => {
      tls.stop()
      streams.stop()
      collector.stop()
      await jobs.stop()
      await thinClients.stop()
      await consoles.stop()
      await app.close()
      clientsXml.stop()
      await drainKeeper.stop()
      await handingOut.stop()
      await hypervisors.stop()
      await collector.rest()
      await leftovers.stop()
      await history.stop()
      await retention.stop()
      await observer.stop()
      processes.stop()
      users.stop()
      await headLog.stop()
      await store.destroy()
      unlock()
    },
  }
}
