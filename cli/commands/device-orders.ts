import type { Command } from 'commander'
import { type OrderKind, OrderState } from '../../broker/api/device-orders.js'
import { ThinClientDetail } from '../../broker/api/thin-clients.js'
import { apiPath } from '../broker-client.js'
import type { Invocation } from '../invocation.js'
import { plainLine } from '../plain-text.js'
import { DEVICE, findDevice } from './device-table.js'

export function defineDeviceOrders(thinClient: Command, invocation: Invocation): void {
  const waits =
    'Waits until the device has said what it did, or has not answered for two minutes; exit code 1 if it was not done.'
  thinClient
    .command('message')
    .argument('<DEVICE>', DEVICE)
    .argument('<TEXT>', 'one paragraph, at most 500 characters')
    .option('--seconds <SECONDS>', 'how long it is shown (5 to 3600)', '60')
    .summary('show a text on its screen')
    .description(`Shows a text over the desktop, or on the screen that waits. ${waits}`)
    .action(async (device: string, text: string, { seconds }: { seconds: string }) => {
      await order(invocation, device, 'message', { text, seconds: Number(seconds) })
    })
  thinClient
    .command('reconnect')
    .argument('<DEVICE>', DEVICE)
    .summary('close its viewer and let it ask again')
    .description(
      'Closes the viewer; the device asks again at once what to show. The desktop goes on, ' +
        `and whoever is logged in stays so. ${waits}`,
    )
    .action(async (device: string) => {
      await order(invocation, device, 'reconnect', {})
    })
  thinClient
    .command('reboot')
    .argument('<DEVICE>', DEVICE)
    .summary('restart the device')
    .description(
      'Restarts the device itself, not the desktop that it shows, unless its setting ' +
        `remote-reboot forbids it. ${waits}`,
    )
    .action(async (device: string) => {
      await order(invocation, device, 'reboot', {})
    })
}

const LOOK_EVERY_MS = 500

async function order(
  invocation: Invocation,
  device: string,
  kind: OrderKind,
  body: object,
): Promise<void> {
  const { id } = await findDevice(invocation, device)
  const given = await invocation.client.send(
    'POST',
    apiPath`/thin-clients/${id}/${kind}`,
    body,
    OrderState,
  )
  let now = given
  while (now.state === 'pending' || now.state === 'sent') {
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_EVERY_MS)
    })
    now = (await invocation.client.get(apiPath`/thin-clients/${id}`, ThinClientDetail)).orders.find(
      (one) => one.id === given.id,
    ) ?? { ...now, state: 'refused', sentence: 'It is not known any more.' }
  }
  invocation.output.show(now, () => `${now.state}: ${plainLine(now.sentence)}`)
  if (now.state !== 'done') invocation.end('refused')
}
