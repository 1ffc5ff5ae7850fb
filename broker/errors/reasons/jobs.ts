import { says } from '../sentence.js'

/** Jobs, and the images that they copy and carry. */
export const JOB_REASONS = {
  job_unknown: says(
    'not_found',
    'There is no job {{job}}: "berth job list" shows the recent ones.',
  ),
  job_kind_unknown: says('internal', 'This Berth does not know jobs of the kind {{kind}}.'),
  job_ended: says('job_finished', 'Job {{job}} has ended ({{state}}): there is nothing to cancel.'),
  job_works_on_it: says(
    'busy',
    'Job {{job}} ({{kind}}) works on {{machine}}: wait for it, or cancel it with',
    '"berth job cancel {{job}}".',
  ),
  job_cancelled: says('cancelled', 'The job was cancelled.'),
  job_cancelled_in_queue: says('cancelled', 'The job was cancelled before its turn came.'),
  job_cancelled_shutdown: says(
    'cancelled',
    'The job was cancelled; the guest may still shut down.',
  ),
  job_cancelled_reboot: says(
    'cancelled',
    'The job was cancelled; the guest may still reboot, and is started again then.',
  ),
  job_cancelled_removal: says('cancelled', 'The job was cancelled; it was not deleted.'),
  operation_cancelled: says('cancelled', 'The operation was cancelled.'),
  other_job_cancelled: says('cancelled', '{{said}}'),
  other_job_failed: says('hypervisor_refused', '{{said}}'),
  image_missing: says(
    'no_generation',
    '{{machine}} has no image yet: copy one with "berth image copy {{machine}}".',
  ),
  generation_unknown: says(
    'no_generation',
    '{{machine}} has no generation {{generation}}: "berth image generations {{machine}}" shows',
    'what there is.',
  ),
  disk_missing: says(
    'no_generation',
    '{{machine}} has no disk yet: run "berth image copy {{machine}}" first.',
  ),
  overlay_missing: says(
    'no_generation',
    '{{machine}} has no disk yet: populate its initial machine first.',
  ),
  image_line_lost: says(
    'hypervisor_unreachable',
    'The line from {{from}} to {{to}} was lost while {{file}} was carried; it goes on from there.',
  ),
  image_holders_away: says(
    'hypervisor_unreachable',
    '{{file}} lies on {{hypervisors}}, which does not answer: it is carried to {{hypervisor}} when',
    'that is back.',
  ),
  image_nowhere: says(
    'hypervisor_unreachable',
    '{{file}} lies on no hypervisor, which does not answer: it is carried to {{hypervisor}} when',
    'that is back.',
  ),
  boot_disk_failed: says('hypervisor_refused', '{{hypervisor}}: the boot disk could not be made.'),
  disk_outside: says(
    'invalid_request',
    'The disk of {{machine}} ({{disk}}) lies outside of {{directory}}: move it there, or make its',
    'directory the image directory with "berth hypervisor set {{hypervisor}} --images-dir".',
  ),
  source_missing: says('invalid_request', '{{machine}} has no source: name one with --source.'),
  no_vdi_machines: says(
    'not_found',
    'No vdi machine is made from {{machine}}: create some with',
    '"berth machine create --type vdi --parent {{machine}}".',
  ),
  adopted_keeps_disk: says(
    'foreign',
    '{{machine}} was adopted: its disk was there before Berth, which puts nothing in its place.',
    'Create a machine and import the image there.',
  ),
}
