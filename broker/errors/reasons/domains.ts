import { says } from '../sentence.js'

/** The XML of a domain: what is refused in it, and what Berth does not change in it. */
export const DOMAIN_REASONS = {
  domain_xml_malformed: says(
    'invalid_request',
    'The domain XML is refused: line {{line}}, column {{column}}: {{said}}.',
  ),
  domain_xml_without_domain: says('invalid_request', 'The domain XML has no <domain> element.'),
  domain_xml_shared: says(
    'invalid_request',
    'The domain XML is for more than one machine, and {{parts}} can belong to one only:',
    'take that out.',
  ),
  domain_xml_of_other: says(
    'invalid_request',
    'The domain XML is of {{domain}} (UUID {{uuid}}), and {{machine}} is an adopted domain',
    'with the UUID {{machineUuid}}: give one of the same domain.',
  ),
  domain_xml_other_disk: says(
    'invalid_request',
    'The system disk in the domain XML is {{disk}}, and the adopted {{machine}} has',
    '{{machineDisk}}: name that.',
  ),
  domain_xml_without_disk: says(
    'invalid_request',
    'The system disk in the domain XML is none, and the adopted {{machine}} has',
    '{{machineDisk}}: name that.',
  ),
  card_kind_unknown: says(
    'invalid_request',
    'A network card of the kind {{kind}} is not made by Berth: name a network or a bridge.',
  ),
  domain_numa_memory: says(
    'invalid_request',
    '{{domain}} has NUMA cells, which share out its memory: change it with "virsh edit".',
  ),
  domain_memory_modules: says(
    'invalid_request',
    '{{domain}} has memory modules: change its memory with "virsh edit".',
  ),
  domain_max_memory: says(
    'invalid_request',
    '{{domain}} may have at most {{mebibytes}} MiB (maxMemory).',
  ),
  domain_hard_limit: says(
    'invalid_request',
    "{{domain}} may use at most {{mebibytes}} MiB of the host (memtune hard_limit), QEMU's own",
    'included.',
  ),
  domain_lists_vcpus: says(
    'invalid_request',
    '{{domain}} lists its vCPUs one by one (<vcpus>): change them with "virsh edit".',
  ),
  domain_numa_vcpus: says(
    'invalid_request',
    '{{domain}} has NUMA cells, which share out its vCPUs: change them with "virsh edit".',
  ),
  domain_cputune: says(
    'invalid_request',
    '{{domain}} has settings in <cputune> for vCPUs that it would no longer have:',
    'change them with "virsh edit".',
  ),
  domain_topology: says(
    'invalid_request',
    '{{domain}} has a CPU topology of {{sockets}} sockets, {{cores}} cores and {{threads}} threads,',
    'into which {{count}} vCPUs do not fit: choose another number,',
    'or change the topology with "virsh edit".',
  ),
  domain_card_kind: says(
    'invalid_request',
    '{{domain}} has a first network card of the kind {{kind}}, which is not moved to another',
    'network: change it with "virsh edit".',
  ),
  domain_several_cards: says(
    'invalid_request',
    '{{domain}} has {{count}} network cards, and it is not clear which of them is to go:',
    'take it away with "virsh detach-interface".',
  ),
  domain_network: says(
    'invalid_request',
    '{{domain}} cannot be put on {{network}}: name a network or a bridge of its host.',
  ),
  domain_scsi_device: says(
    'invalid_request',
    '{{domain}} starts from a SCSI device that is passed through: no image takes its place.',
  ),
}
