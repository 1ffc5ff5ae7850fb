import { EXIT_CODES } from './exit-codes.js'

export interface HelpTopic {
  readonly name: string
  readonly title: string
  readonly lines: readonly string[]
}

const exitCodes: HelpTopic = {
  name: 'exit-codes',
  title: 'Exit codes',
  lines: Object.values(EXIT_CODES).map(
    ({ code, meaning }) => `${String(code).padStart(3)}  ${meaning}`,
  ),
}

const environment: HelpTopic = {
  name: 'environment',
  title: 'Environment and files',
  lines: [
    '$XDG_CONFIG_HOME/berth/cli.json (~/.config/berth/cli.json)',
    '     What "berth login" keeps: broker, fingerprint of its authority, token. Mode 0600.',
    'BERTH_BROKER',
    '     HOST or HOST:PORT, before the file. The token and fingerprint in the file are used ' +
      'for the broker in the file only.',
    'BERTH_CA',
    "     sha256:… of the broker's certificate authority, or the path of a PEM file of it.",
    'BERTH_TOKEN_FILE',
    '     A file that holds a token; keep it at mode 0600.',
    'BERTH_TOKEN',
    '     The token itself. Less safe: programs that are started inherit it, and root and ' +
      'the same account can read it.',
  ],
}

const output: HelpTopic = {
  name: 'output',
  title: 'Output',
  lines: [
    'Standard output has the result only; progress, questions and errors go to standard error.',
    "-o json and -o yaml print the API's object as it is. A command that followed a job " +
      'prints that job as it has ended;',
    'with --no-wait it prints the API\'s answer, which names the job. Several jobs: {"jobs": […]}.',
    'Control characters in names and messages are shown as "?", and as escapes in JSON and YAML.',
    'On a terminal running jobs are shown as bars, elsewhere as lines. Ctrl-C stops watching; the job goes on.',
  ],
}

const words: HelpTopic = {
  name: 'words',
  title: 'Words of Horizon and Proxmox VE',
  lines: [
    'Berth             Horizon                              Proxmox VE',
    'hypervisor        vCenter server and ESXi host         node',
    'machine           virtual machine                      VM',
    'source            the machine where one installs       VM',
    'initial           golden image, parent VM              template',
    'vdi machine       instant clone, linked clone          linked clone',
    "generation        snapshot of the golden image         version of a template's disk",
    'image copy        take a snapshot                      clone, convert to template',
    'populate          push image, recompose                destroy and clone again',
    'discard-changes   refresh at log-off, non-persistent   snapshot rollback at each stop',
    'pool              automated desktop pool               (none)',
    'assign, claim     assign to a user, launch desktop     (none)',
    'retention         automatic log-off after disconnect   (none)',
    'maintenance       maintenance mode                     node maintenance (HA)',
    'thin client       client device, kiosk                 (none)',
    'clients.xml       client and kiosk assignments         (none)',
    'job               task                                 task (UPID)',
    'event             event database                       cluster log',
    'token             (none)                               API token',
  ],
}

export const HELP_TOPICS: readonly HelpTopic[] = [exitCodes, environment, output, words]

export function showTopic(topic: HelpTopic): string {
  return `${topic.title}\n\n${topic.lines.map((line) => `  ${line}`).join('\n')}`
}
