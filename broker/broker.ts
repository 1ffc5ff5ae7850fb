import type { Logger } from 'pino'
import type { Config } from './config.js'
import { openFoundation } from './foundation.js'
import type { App } from './http.js'
import type { OpenLink } from './hypervisors/hypervisor.js'
import type { StepHook } from './jobs/context.js'
import { assembleParts, type Parts } from './parts.js'
import { openServer, type Server } from './server.js'

export interface BrokerOptions {
  readonly config: Config
  readonly log: Logger
  /** A test stops the process between two steps of a job here. */
  readonly hook?: StepHook
  /** For tests: a request must have come in within this time. */
  readonly requestWithinMs?: number
  /** Another broker has taken the database; what this one knows is no longer true. */
  readonly onDatabaseLost?: () => void
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

/** Makes every part, starts them and listens. Throws when the data directory is in use or damaged. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { config, log, hosts } = options
  const foundation = await openFoundation(config, log, options.onDatabaseLost)
  const parts = await assembleParts({ ...options, foundation, openLink: hosts?.openLink })
  const server = await openServer({ ...options, foundation, parts })
  const { app, tls } = server
  await startParts(parts)
  await app.listen({ host: config.listenAddress, port: config.listenPort })
  tls.follow(app.server)
  await parts.jobs.start()
  const address = app.server.address()
  return {
    app,
    caFingerprint: tls.fingerprint,
    madeAdministrator: parts.people.madeAdministrator,
    port: typeof address === 'object' && address ? address.port : config.listenPort,
    stop: async () => {
      await stopParts(parts, server)
      await foundation.close()
    },
  }
}

async function startParts(parts: Parts): Promise<void> {
  await parts.hypervisors.start()
  await parts.clientsXml.start()
  parts.headLog.start()
  parts.people.users.start()
  parts.endings.start()
  parts.observer.start()
  parts.restarts.start()
  parts.handingOut.start()
  parts.draining.keeper.start()
  parts.thinClients.start()
  parts.collector.start()
  parts.leftovers.start()
  parts.history.start()
  parts.retention.start()
  await parts.consoles.start()
}

async function stopParts(parts: Parts, { app, tls, streams }: Server): Promise<void> {
  tls.stop()
  streams.stop()
  parts.collector.stop()
  await parts.jobs.stop()
  await parts.thinClients.stop()
  await parts.consoles.stop()
  await app.close()
  parts.clientsXml.stop()
  await parts.draining.keeper.stop()
  await parts.handingOut.stop()
  await parts.hypervisors.stop()
  await parts.collector.rest()
  await parts.leftovers.stop()
  await parts.history.stop()
  await parts.retention.stop()
  await parts.observer.stop()
  parts.processes.stop()
  parts.people.users.stop()
  await parts.headLog.stop()
}
