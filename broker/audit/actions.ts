/**
 * The closed list of what the audit log records. The reference is made from it; scripts filter by
 * these names, so none is ever given another meaning.
 */
export const AUDIT_ACTIONS = {
  login: 'Somebody logged in, or tried to: the result says how it ended.',
  logout: 'Somebody logged out in a browser.',

  'account.create': 'An account was created, by an administrator or at a first login.',
  'account.change': 'An account was changed; the detail has before and after.',
  'account.remove': 'An account was removed.',
  'account.password': 'A password was changed or reset.',
  'account.unlock': 'An administrator ended the waiting time after wrong passwords.',
  'account.log-out': 'An account was logged out everywhere.',
  'account.roles': 'The roles of an account followed its groups at a login.',
  'account.roles-unknown':
    'The groups of an account could not be read at a login; its roles stayed.',
  'token.create': 'A token for a program was created.',
  'token.revoke': 'A token was revoked.',
  'grant.set': 'A permission was granted or changed.',
  'grant.remove': 'A permission was withdrawn.',
  'directory.test': 'An administrator tried a directory.',
  'provider.test': 'An administrator tried a login provider.',

  'hypervisor.add': 'A hypervisor was added.',
  'hypervisor.change': 'The settings of a hypervisor were changed.',
  'hypervisor.trust': 'A new SSH host key of a hypervisor was accepted.',
  'hypervisor.maintenance-on': 'A hypervisor was put into maintenance.',
  'hypervisor.maintenance-off': 'The maintenance of a hypervisor ended.',
  'hypervisor.drain': 'The draining of a hypervisor began.',
  'hypervisor.drained': 'A hypervisor that is drained is empty.',
  'hypervisor.remove': 'A hypervisor was removed.',
  'hypervisor.unseen': 'A hypervisor that is up cannot be observed: its machines count as in use.',
  'hypervisor.seen': 'A hypervisor can be observed again.',
  'hypervisor.leftover-removed':
    'What could not be removed while a hypervisor was away was removed now.',
  'hypervisor.leftover-kept':
    'What was to be removed turned out to be somebody else’s, and was left as it is.',

  'machine.adopt': 'An existing domain was taken over.',
  'machine.change': 'The settings of a machine were changed; the detail has before and after.',
  'machine.maintenance-on': 'A machine was put into maintenance.',
  'machine.maintenance-off': 'The maintenance of a machine ended.',
  'machine.discard-changes-on': 'A machine throws its changes away from its next start on.',
  'machine.discard-changes-off': 'A machine keeps its changes from its next start on.',
  'machine.unanswering': 'The QEMU of a machine does not answer: the machine counts as in use.',
  'machine.answering': 'The QEMU of a machine answers again.',
  'machine.port-forward': 'A connection to a port of a guest was opened through the broker.',

  'pool.create': 'A pool was created.',
  'pool.change': 'The size or the policy of a pool was changed; the detail has before and after.',
  'pool.maintenance-on': 'A pool was put into maintenance.',
  'pool.maintenance-off': 'The maintenance of a pool ended.',
  'pool.add': 'A machine was added to a pool.',
  'pool.remove': 'A machine was taken out of a pool.',
  'pool.delete': 'The deletion of a pool began.',
  'pool.deleted': 'A pool is gone, with everything that was built for it.',
  'desktop.assign': 'A desktop was assigned.',
  'desktop.extend': 'A desktop was extended.',
  'desktop.warn': 'The person at a desktop was warned that it will be taken.',
  'desktop.move': 'A person got another desktop of the pool, since the first could not be used.',
  'desktop.release': 'A desktop was released; the detail says why.',
  'desktop.rebuild': 'The rebuilding of a desktop was ordered.',

  'console.ticket': 'A ticket for a console was given out.',
  'console.open': 'A viewer connected.',
  'console.close': 'A viewer disconnected.',
  'console.take': 'A console was taken over from somebody else.',
  'console.revoke': 'A ticket or a console was withdrawn.',
  'console.watch': 'Somebody began to watch a screen.',
  'console.watch-end': 'Somebody stopped watching a screen.',
  'console.rdp': 'A thin client was sent to a desktop by RDP.',

  'thin-client.first-contact': 'A device asked for the first time.',
  'thin-client.key': 'A device was given its key.',
  'thin-client.accept': 'An administrator accepted a device, or its new MACs and host name.',
  'thin-client.assign': 'A device was assigned a machine or a pool, or the assignment was removed.',
  'thin-client.rename': 'A device was renamed.',
  'thin-client.macs': 'A device says other MACs or another host name than before.',
  'thin-client.wrong-key':
    'Strangers said the MACs of a known device; at most one event a day and device.',
  'thin-client.remove': 'A device was removed.',
  'thin-client.remove-unaccepted': 'All devices that nobody had accepted were removed.',
  'thin-client.message': 'A message was sent to a device.',
  'thin-client.reconnect': 'A device was told to connect again.',
  'thin-client.reboot': 'A device was told to restart.',
  'thin-client.login': 'A person logged in at a device.',
  'thin-client.logout': 'A login at a device ended; the detail says why.',
  'thin-client.confirm-code': 'A person confirmed the login code of a device.',
  'thin-client.refuse-code': 'A person refused the login code of a device.',
  'clients-xml.replace': 'A new version of clients.xml is in force.',

  'job.copy': 'A job was ordered: a new generation from a source.',
  'job.populate': 'A job was ordered: machines were populated.',
  'job.power': 'A job was ordered: machines were started or stopped.',
  'job.define': 'A job was ordered: machines were created.',
  'job.delete': 'A job was ordered: machines were deleted.',
  'job.import': 'A job was ordered: a disk image was imported.',
  'job.check': 'A job was ordered: a hypervisor was checked.',
  'job.pool-build': 'A job was ordered: members of a pool were built.',
  'job.pool-remove': 'A job was ordered: members of a pool were removed.',
  'job.cancel': 'A job was cancelled.',

  'state.rebuild': 'The database was rebuilt from the metadata of the domains.',
  'audit.prune': 'Events older than `keep-events` were removed.',
} as const

/** Jobs name their kind themselves. */
export type AuditAction = keyof typeof AUDIT_ACTIONS | `job.${string}`
