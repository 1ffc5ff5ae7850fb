import type { JobKind } from '../jobs/runner.js'
import type { ImageDeps } from './copy-job.js'
import { markOldDisks } from './old-files.js'

export interface ImportInput {
  readonly machine: { readonly id: string; readonly name: string; readonly hypervisor: string }
  readonly path: string
}

/**
 * Puts a disk image from the host's import directory in the place of a machine's disk, once it is
 * inspected and converted.
 */
export function importJob(deps: ImageDeps): JobKind<ImportInput> {
  return {
    kind: 'import',
    run: async (context) => {
      const { machine, path } = context.input
      await context.step(machine.name, 'import', async () => {
        await deps.requireOff(machine.name)
        await markOldDisks(deps, machine.hypervisor)
        await deps.link(machine.hypervisor).request(
          'image_import',
          { path, name: `${machine.name}.qcow2`, owner: machine.id, replace: true },
          {
            operation: context.operation(machine.name, 'import'),
            fence: context.job.fence,
            signal: context.signal,
            timeoutMs: 0,
            onProgress: ({ done, total }) => {
              context.progress(machine.name, done, total)
            },
          },
        )
      })
    },
  }
}
