import type { Command } from 'commander'
import { Type } from '@sinclair/typebox'
import { Hypervisor } from '../../broker/api/hypervisors.js'
import { JobList } from '../../broker/api/jobs.js'
import { MachineList } from '../../broker/api/machines.js'
import { VERBS } from '../../broker/api/permissions.js'
import { PoolList } from '../../broker/api/pools.js'
import { ThinClientList } from '../../broker/api/thin-clients.js'
import { RoleList, TokenList, UserList } from '../../broker/api/users.js'
import type { BrokerClient } from '../broker-client.js'
import {
  BASH_SCRIPT,
  FILES_ANSWER,
  type NameKind,
  completionFor,
  plainNames,
} from '../completion.js'
import type { Invocation } from '../invocation.js'

/** A shell that hangs at a key press is worse than one that offers nothing. */
const PATIENCE_MS = 2000
const HypervisorList = Type.Object({ hypervisors: Type.Array(Hypervisor) })

const NAMES: Readonly<Record<NameKind, (client: BrokerClient) => Promise<string[]>>> = {
  MACHINE: async (client) =>
    (await client.get('/machines', MachineList)).machines.map((it) => it.name),
  TARGET: async (client) =>
    (await client.get('/machines', MachineList)).machines.map((it) => it.name),
  INITIAL: async (client) =>
    (await client.get('/machines?type=initial', MachineList)).machines.map((it) => it.name),
  HYPERVISOR: async (client) =>
    (await client.get('/hypervisors', HypervisorList)).hypervisors.map((it) => it.name),
  POOL: async (client) => (await client.get('/pools', PoolList)).pools.map((it) => it.name),
  JOB: async (client) => (await client.get('/jobs', JobList)).jobs.map((it) => it.id),
  DEVICE: async (client) =>
    (await client.get('/thin-clients', ThinClientList)).thinClients.map((it) => it.id),
  USER: async (client) => (await client.get('/users', UserList)).users.map((it) => it.name),
  ROLE: async (client) => (await client.get('/roles', RoleList)).roles.map((it) => it.role),
  OBJECT: async (client) => [
    ...(await client.get('/pools', PoolList)).pools.map((it) => `pool:${it.name}`),
    ...(await client.get('/machines', MachineList)).machines.map((it) => `machine:${it.name}`),
  ],
  VERB: async () => await Promise.resolve(VERBS.filter((verb) => verb !== '*')),
  TOKEN: async (client) => (await client.get('/tokens', TokenList)).tokens.map((it) => it.name),
}

export function defineCompletionCommands(program: Command, invocation: Invocation): void {
  program
    .command('completion')
    .addArgument(program.createArgument('<SHELL>').choices(['bash']))
    .summary('print the completion script for a shell')
    .description(
      'Prints a script that completes commands, options and names (machines, hypervisors, ' +
        'jobs, …), which it asks the broker for. Use: source <(berth completion bash)',
    )
    .action(() => {
      invocation.output.line(BASH_SCRIPT.trimEnd())
    })
  program
    .command('__complete', { hidden: true })
    .argument('[WORDS...]')
    .action(async (words: string[]) => {
      for (const word of await candidates(program, invocation, words)) invocation.output.line(word)
    })
}

async function candidates(
  program: Command,
  invocation: Invocation,
  words: readonly string[],
): Promise<string[]> {
  const current = words.at(-1) ?? ''
  const completion = completionFor(program, words)
  if (completion.offer === 'files') return [FILES_ANSWER]
  const all =
    completion.offer === 'words' ? completion.words : await namesOf(invocation, completion.kind)
  return all.filter((word) => word.startsWith(current))
}

/** No names when the broker cannot be asked: a message would land in the middle of the command line. */
async function namesOf(invocation: Invocation, kind: NameKind): Promise<string[]> {
  const impatience = setTimeout(() => {
    process.exit(0)
  }, PATIENCE_MS)
  try {
    return plainNames(await NAMES[kind](invocation.client))
  } catch {
    return []
  } finally {
    clearTimeout(impatience)
  }
}
