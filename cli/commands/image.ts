import type { Command } from 'commander'
import { Generation, GenerationList, JobRef } from '../../broker/api/images.js'
import { apiPath } from '../broker-client.js'
import type { Invocation } from '../invocation.js'
import type { Column } from '../output.js'
import { showBytes } from '../quantities.js'

const COLUMNS: ReadonlyArray<Column<Generation>> = [
  ['NAME', (it) => it.name],
  ['CURRENT', (it) => (it.current ? 'yes' : '')],
  ['STATE', (it) => it.state],
  ['SOURCE', (it) => it.source],
  ['SIZE', (it) => (it.bytes === null ? null : showBytes(it.bytes))],
  ['DISK', (it) => (it.virtualBytes === null ? null : showBytes(it.virtualBytes))],
  ['MACHINES', (it) => it.machines],
  ['HYPERVISORS', (it) => it.hypervisors.join(' ')],
  ['CREATED', (it) => it.createdAt],
]

interface PopulateOptions {
  readonly generation?: string
  readonly force?: boolean
  readonly start?: boolean
  readonly wait: boolean
}

export function defineImageCommands(program: Command, invocation: Invocation): void {
  const image = program
    .command('image')
    .summary('base images and what is made of them')
    .description(
      'Images of initial machines. Each copy is a new generation (g1, g2, …) and never ' +
        'overwrites an older one.\nHorizon: golden image and its snapshots. Proxmox VE: ' +
        'template disks.',
    )
  defineCopy(image, invocation)
  definePopulate(image, invocation)
  defineGenerations(image, invocation)
  defineImport(image, invocation)
  defineCopy(program, invocation, true)
  definePopulate(program, invocation, true)
}

function defineGenerations(image: Command, invocation: Invocation): void {
  image
    .command('generations')
    .argument('<INITIAL>')
    .summary('list the images of an initial machine')
    .description(
      'Lists the generations of an initial machine, which one is current, how many machines ' +
        'stand on each and where it lies. Unused old ones are removed by the broker.',
    )
    .action(async (name: string) => {
      const answer = await invocation.client.get(
        apiPath`/machines/${name}/generations`,
        GenerationList,
      )
      invocation.output.list(answer, COLUMNS, answer.generations)
    })
}

function defineImport(image: Command, invocation: Invocation): void {
  image
    .command('import')
    .argument('<MACHINE>')
    .argument('<PATH>', "a file in the import directory of the machine's hypervisor")
    .option('--no-wait', 'print the job id and do not follow it')
    .summary('replace a disk by an image file')
    .description(
      'Makes a disk image that lies on the hypervisor the disk of a simple or source ' +
        'machine. It is inspected first; one that refers to other files is refused. Proxmox ' +
        'VE: qm importdisk.',
    )
    .action(async (name: string, path: string, { wait }: { wait: boolean }) => {
      const ref = await invocation.client.send(
        'POST',
        apiPath`/machines/${name}/import`,
        { path },
        JobRef,
      )
      await invocation.finishJob(ref, ref.job, wait)
    })
}

function defineCopy(parent: Command, invocation: Invocation, short = false): void {
  parent
    .command('copy')
    .argument('<INITIAL>')
    .summary(short ? 'the same as "image copy"' : "copy the source's disk: a new generation")
    .description(
      'Copies the disk of the source machine into a new generation of the initial machine. ' +
        'Both must be off. Machines change only when they are populated.\nHorizon: take a ' +
        'snapshot of the golden image. Proxmox VE: clone to a template.',
    )
    .option('--source <MACHINE>', 'the source, if it is not the parent')
    .option('--no-wait', 'print the job id and do not follow it')
    .action(async (initial: string, { source, wait }: { source?: string; wait: boolean }) => {
      const ref = await invocation.client.send(
        'POST',
        apiPath`/machines/${initial}/copy`,
        { source },
        JobRef,
      )
      await invocation.finishJob(ref, ref.job, wait)
    })
}

function definePopulate(parent: Command, invocation: Invocation, short = false): void {
  parent
    .command('populate')
    .argument('<INITIAL>')
    .summary(short ? 'the same as "image populate"' : 'renew all vdi machines of an initial')
    .description(
      'Gives every vdi machine of the initial machine a new overlay on the current ' +
        'generation. A machine in use is not touched: it is renewed when it is released. Exit ' +
        'code 5 if some failed.\nHorizon: push image, recompose. Proxmox VE: destroy and clone ' +
        'again.',
    )
    .option(
      '--generation <GENERATION>',
      'another generation than the current one, such as g3: the way back',
    )
    .option('--force', 'machines in use too: their viewers are cut and their changes are lost')
    .option('--start', 'start the machines afterwards')
    .option('--no-wait', 'print the job id and do not follow it')
    .action(async (initial: string, { generation, force, start, wait }: PopulateOptions) => {
      const ref = await invocation.client.send(
        'POST',
        apiPath`/machines/${initial}/populate`,
        { generation, force, start },
        JobRef,
      )
      await invocation.finishJob(ref, ref.job, wait)
    })
}
