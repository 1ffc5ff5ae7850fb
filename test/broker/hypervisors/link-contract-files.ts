import type { Test } from 'tap'
import {
  copy,
  DOMAIN,
  doomed,
  type Items,
  type LinkUnderTest,
  overlay,
  owner,
  SIZE,
} from './link-under-test.js'
import type { HypervisorLink } from '../../../broker/hypervisors/hypervisor.js'

/** A fence may only grow on a host: by the clock, as the broker's does. */
const fence = (): number => Math.floor(Date.now() / 1000)

export async function images(t: Test, { link }: LinkUnderTest): Promise<void> {
  const source = { name: 'contract-src.qcow2', size_bytes: SIZE, owner }
  const operation = `contract:${Date.now()}:${Math.random()}`
  await link.request('image_create', source, { operation })
  await link.request('image_create', source, { operation }) // the same wish is answered again
  await t.rejects(
    link.request('image_create', source),
    { code: 'name_taken' },
    'another one is not',
  )
  const image = await copy(link, 'contract-base.g1.qcow2')
  t.match(image, { sha256: /^[0-9a-f]{64}$/ })
  t.ok(image.bytes > 0 && image.virtual_size > 0)
  await t.rejects(
    copy(link, 'contract-base.g1.qcow2'),
    { code: 'name_taken' },
    'an image is never overwritten',
  )
  t.match(await overlay(link, 'contract-base.g2.qcow2'), {
    items: [{ name: `${DOMAIN}.qcow2`, ok: false, error: { code: 'not_found' } }],
  })
  t.match(await overlay(link, 'contract-base.g1.qcow2'), {
    items: [{ name: `${DOMAIN}.qcow2`, ok: true }],
  })
  const list = await link.request<Items>('overlay_list', {})
  t.equal(
    list.items.find((item) => item.name === `${DOMAIN}.qcow2`)?.base,
    'contract-base.g1.qcow2',
  )
  const remove = async (dir: string, name: string): Promise<Items> =>
    await link.request('image_remove', { dir, items: [doomed(name)] })
  t.match(await remove('images', 'contract-base.g1.qcow2'), {
    items: [{ ok: false, error: { code: 'in_use' } }],
  })
  for (let time = 0; time < 2; time++)
    t.match(
      await remove('overlays', `${DOMAIN}.qcow2`),
      { items: [{ ok: true }] },
      'one that is gone counts as removed',
    )
  t.match(await remove('images', 'contract-base.g1.qcow2'), { items: [{ ok: true }] })
}

export async function replays(t: Test, { link }: LinkUnderTest): Promise<void> {
  await link.request('image_create', { name: 'contract-src.qcow2', size_bytes: SIZE, owner })
  const operation = `contract:${Date.now()}:${Math.random()}`
  const first = await copy(link, 'contract-base.g1.qcow2', operation)
  t.same(await copy(link, 'contract-base.g1.qcow2', operation), first)
  await t.rejects(copy(link, 'contract-base.g1.qcow2', `${operation}:other`), {
    code: 'name_taken',
  })
}

export async function fences(t: Test, { link }: LinkUnderTest): Promise<void> {
  const now = fence()
  const operation = `contract:${Date.now()}:${Math.random()}`
  const create = async (number: number): Promise<unknown> =>
    await link.request(
      'image_create',
      { name: 'contract-src.qcow2', size_bytes: SIZE, owner },
      { fence: number, operation },
    )
  await create(now)
  await create(now)
  await t.rejects(create(now - 1), { code: 'hypervisor_refused', message: /newer broker/ })
}

export async function foreignFiles(t: Test, { link }: LinkUnderTest): Promise<void> {
  const other = 'somebody'
  const refused = { items: [{ ok: false, error: { code: 'foreign' } }] }
  await link.request('image_create', { name: 'contract-src.qcow2', size_bytes: SIZE, owner })
  await copy(link, 'contract-base.g1.qcow2')
  await overlay(link, 'contract-base.g1.qcow2')
  const images = ['contract-src.qcow2', 'contract-base.g1.qcow2']
  for (const [dir, name] of [
    ...images.map((name) => ['images', name] as const),
    ['overlays', `${DOMAIN}.qcow2`] as const,
  ]) {
    const ask = { dir, items: [{ name, owner: other }] }
    t.match(await link.request('image_remove', ask), refused, `remove ${name}`)
    const wanted = { name: DOMAIN, dir, file: name }
    t.match(
      await link.request('in_the_way', { items: [{ ...wanted, owner: other }] }),
      { items: [{ name: DOMAIN, ok: false, error: { code: 'foreign' } }] },
      `in the way: ${name}`,
    )
    t.match(await link.request('in_the_way', { items: [{ ...wanted, owner }] }), {
      items: [{ ok: true }],
    })
    t.match(
      await link.request('files_adopt', { items: [{ dir, name, owner: other }] }),
      refused,
      `adopt ${name}`,
    )
  }
  t.match(
    await link.request('image_remove', {
      dir: 'images',
      items: [{ name: 'contract-src.qcow2', owner, made_by: 'another-operation' }],
    }),
    refused,
    'made for it, but not by the operation that is taken back',
  )
  await neitherCreatedNorCopiedOver(t, images, link, other)
  const item = { name: `${DOMAIN}.qcow2`, base: 'contract-base.g1.qcow2', fresh: true }
  t.match(
    await link.request('overlay_create', { items: [{ ...item, owner: other }] }),
    refused,
    'renew the overlay',
  )
}

async function neitherCreatedNorCopiedOver(
  t: Test,
  images: string[],
  link: HypervisorLink,
  other: string,
): Promise<void> {
  const source = { dir: 'images', name: 'contract-src.qcow2' }
  for (const name of images) {
    await t.rejects(
      link.request('image_create', { name, size_bytes: SIZE, owner: other }),
      { code: 'foreign' },
      `create ${name}`,
    )
    await t.rejects(
      link.request('image_copy', { source, name, owner: other }),
      { code: 'foreign' },
      `copy to ${name}`,
    )
  }
}
