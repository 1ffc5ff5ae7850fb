import type { CheckId } from '../api/checks.js'
import { sentenceOf } from '../errors/broker-error.js'
import {
  type CertificateLook,
  judgeCertificate,
  judgeDisplayAddress,
  judgeListen,
  type KeyLook,
} from './display-policy.js'
import { listenOf } from '../hypervisors/listen.js'
import { resolve } from '../hypervisors/prepare.js'
import { lookAtDefinitions, lookAtDomains, lookAtFiles, lookAtTwins } from './belongings.js'
import { type Judgement, says } from './finding.js'
import {
  type AccountLook,
  judgeAccount,
  judgeClock,
  judgeHelper,
  judgeLibvirt,
  judgeNetworks,
  judgeSenders,
  judgePrograms,
  judgeSshd,
  judgeVirtualisation,
  type NetworksLook,
  type ProgramsLook,
  type SshdLook,
} from './host-policy.js'
import { ask, type Scene } from './scene.js'
import { type DirectoriesLook, judgeDirectory } from './storage-policy.js'

export type Look = (scene: Scene) => Promise<Judgement>

const PROBE_TIMEOUT_MS = 60_000

/** What can be looked at once the broker is in, by check. `domains`, `definitions` and `files` need the line itself. */
export const LOOKS: Readonly<
  Record<Exclude<CheckId, 'name' | 'port' | 'host-key' | 'login'>, Look>
> = {
  helper: async ({ visit, ownHelperVersion }) => judgeHelper(visit.helperVersion, ownHelperVersion),
  sshd: async (scene) => judgeSshd(await ask<SshdLook>(scene, 'sshd')),
  account: async (scene) => judgeAccount(await ask<AccountLook>(scene, 'account'), scene.row.name),
  clock: async (scene) => {
    const askedMs = Date.now()
    const { clock_ms: hostMs } = await ask<{ clock_ms: number }>(scene, 'clock')
    return judgeClock(hostMs, askedMs, Date.now())
  },
  libvirt: lookAtLibvirt,
  programs: async (scene) => judgePrograms(await ask<ProgramsLook>(scene, 'programs')),
  virtualisation: async ({ visit, row }) => {
    const { virt_type: found, reason } = await visit.request<{
      virt_type: 'kvm' | 'qemu'
      reason: string
    }>('probe_virt', {}, { timeoutMs: PROBE_TIMEOUT_MS })
    return judgeVirtualisation(found, reason, row.virt_type_setting, row.name)
  },
  networks: async (scene) => {
    const needed = await scene.store
      .selectFrom('machine')
      .select('network')
      .distinct()
      .where('hypervisor', '=', scene.row.name)
      .execute()
    const look = await ask<NetworksLook>(scene, 'networks')
    const { measured, says: said } = judgeNetworks(
      look,
      needed.map(({ network }) => network),
    )
    return says(measured, ...said, ...judgeSenders(look), ...(await lookAtTwins(scene)))
  },
  images: async (scene) => judgeDirectory('images', await directories(scene)),
  overlays: async (scene) => judgeDirectory('overlays', await directories(scene)),
  transient: async (scene) => judgeDirectory('transient', await directories(scene)),
  certificate: async (scene) => {
    const [certificate, key] = [
      await scene.visit.request<CertificateLook>('spice_certificate', {}),
      await ask<KeyLook>(scene, 'certificate_key'),
    ]
    return judgeCertificate(certificate, key, {
      ca: scene.ca,
      address: scene.row.display_address,
      name: scene.row.name,
      nowMs: Date.now(),
    })
  },
  'display-address': async (scene) => {
    const { addresses } = await ask<{ addresses: string[] }>(scene, 'addresses')
    const { display_address: address, listen_address: setting } = scene.row
    const faults = judgeListen(listenOf(scene.row), setting, addresses)
    return faults.length > 0
      ? says(listenOf(scene.row), ...faults)
      : judgeDisplayAddress(address, await resolve(address), addresses)
  },
  domains: whenUp(lookAtDomains),
  definitions: whenUp(lookAtDefinitions),
  files: lookAtFiles,
}

async function directories(scene: Scene): Promise<DirectoriesLook> {
  return await ask<DirectoriesLook>(scene, 'directories')
}

/** On the host itself, and then by the way that the broker takes. */
async function lookAtLibvirt(scene: Scene): Promise<Judgement> {
  const found = await ask<{ libvirt: string | null; qemu: string | null }>(scene, 'libvirt').catch(
    (error: unknown) => ({ silent: sentenceOf(error) }),
  )
  if ('silent' in found)
    return says('', { code: 'libvirt-silent', values: { reason: found.silent } })
  return judgeLibvirt(found, await scene.link.listDomains().then(() => null, sentenceOf))
}

function whenUp(look: Look): Look {
  return async (scene) =>
    scene.link.status().state === 'up' ? await look(scene) : says('', { code: 'not-up' })
}
