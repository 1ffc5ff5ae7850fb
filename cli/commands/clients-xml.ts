import type { Command } from 'commander'
import {
  ClientsXmlCheck,
  ClientsXmlHistory,
  ClientsXmlState,
  type ClientsXmlVersion,
  ClientsXmlVersionText,
} from '../../broker/api/clients-xml.js'
import { apiPath } from '../broker-client.js'
import { CliError, RefusalError } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { type Column, fieldsOf } from '../output.js'
import { readTextFile } from '../prompts.js'
import { detailLine, reportError } from '../report-error.js'

const VERSIONS: ReadonlyArray<Column<ClientsXmlVersion>> = [
  ['VERSION', (it) => it.id],
  ['AT', (it) => it.at],
  ['BY', (it) => it.by],
  ['CLIENTS', (it) => it.clients],
  ['BYTES', (it) => it.bytes],
]
const FILE = 'the file; - is standard input'

export function defineClientsXmlCommands(program: Command, invocation: Invocation): void {
  const clientsXml = program
    .command('clients-xml')
    .summary('which device gets which machine')
    .description(
      'The file clients.xml says which thin client gets which machine.\nHorizon: ' +
        'client-to-desktop assignment, kiosk mode accounts. Proxmox VE has none.',
    )
  defineCheck(clientsXml, invocation)
  defineLoad(clientsXml, invocation)
  defineShow(clientsXml, invocation)
  defineHistory(clientsXml, invocation)
}

function defineCheck(clientsXml: Command, invocation: Invocation): void {
  clientsXml
    .command('check')
    .argument('<FILE>', FILE)
    .summary('check a file and change nothing')
    .description(
      'Lets the broker check a file. Faults are printed as FILE:LINE:COLUMN; exit code 1 if it would be refused.',
    )
    .action(async (file: string) => {
      const answer = await invocation.client.send(
        'POST',
        '/clients-xml/check',
        { text: readTextFile(file, 'clients') },
        ClientsXmlCheck,
      )
      showCheck(invocation, file, answer, answer.accepted ? 'good' : 'refused')
      if (!answer.accepted) invocation.end('refused')
    })
}

function defineLoad(clientsXml: Command, invocation: Invocation): void {
  clientsXml
    .command('load')
    .argument('<FILE>', FILE)
    .summary('replace clients.xml')
    .description(
      'Puts a file in force. A bad one is refused with all its faults, and the last good one stays.',
    )
    .action(async (file: string) => {
      const text = readTextFile(file, 'clients')
      try {
        showCheck(
          invocation,
          file,
          await invocation.client.send('PUT', '/clients-xml', { text }, ClientsXmlCheck),
          'in force',
        )
      } catch (error) {
        if (!(error instanceof RefusalError)) throw error
        reportError(error, file)
        invocation.end(error.exit)
      }
    })
}

function defineShow(clientsXml: Command, invocation: Invocation): void {
  clientsXml
    .command('show')
    .argument('[VERSION]', 'an earlier text, by its number in the history')
    .summary('show the file in force')
    .description(
      'Prints the clients.xml in force; where it lies, since when, and what is wrong with a ' +
        'newer one go to standard error.',
    )
    .action(async (version: string | undefined) => {
      if (version !== undefined) {
        const earlier = await versionOf(invocation, version)
        if (invocation.output.format === 'table') invocation.output.raw(earlier.text)
        else invocation.output.show(earlier, () => '')
        return
      }
      const state = await invocation.client.get('/clients-xml', ClientsXmlState)
      if (invocation.output.format !== 'table') {
        invocation.output.show(state, () => '')
        return
      }
      for (const line of fieldsOf(
        [
          ['file', (it: typeof state) => it.path],
          ['loaded', (it) => it.loadedAt ?? 'never'],
          ['clients', (it) => it.clients],
        ],
        state,
      ).split('\n'))
        invocation.say(line)
      for (const fault of state.faults) invocation.say(detailLine(fault, state.path))
      invocation.output.raw(state.text)
    })
}

function defineHistory(clientsXml: Command, invocation: Invocation): void {
  clientsXml
    .command('history')
    .summary('list the last texts')
    .description(
      'Lists the last fifty texts of clients.xml that were in force, newest first. "file" changed it on the disk.',
    )
    .action(async () => {
      const answer = await invocation.client.get('/clients-xml/history', ClientsXmlHistory)
      invocation.output.list(answer, VERSIONS, answer.versions)
    })
  clientsXml
    .command('restore')
    .argument('<VERSION>', 'its number in the history')
    .summary('put an earlier text in force again')
    .description(
      'Puts an earlier text in force, if it is still good: the machines that it names must ' +
        'exist. What was in force stays in the history.',
    )
    .action(async (version: string) => {
      const { etag } = await invocation.client.get('/clients-xml', ClientsXmlState)
      const { text } = await versionOf(invocation, version)
      showCheck(
        invocation,
        `version ${version}`,
        await invocation.client.send('PUT', '/clients-xml', { text, have: etag }, ClientsXmlCheck),
        'in force',
      )
    })
}

async function versionOf(invocation: Invocation, version: string): Promise<ClientsXmlVersionText> {
  if (!/^\d{1,9}$/.test(version))
    throw new CliError(
      'usage',
      `${version} is not the number of a version: "berth clients-xml history" shows them.`,
    )
  return await invocation.client.get(
    apiPath`/clients-xml/history/${version}`,
    ClientsXmlVersionText,
  )
}

function showCheck(
  invocation: Invocation,
  file: string,
  answer: ClientsXmlCheck,
  verdict: string,
): void {
  invocation.output.show(answer, () =>
    [
      ...answer.faults.map((fault) => detailLine(fault, file)),
      detailLine(`${file}: ${verdict}, ${answer.clients} clients`),
    ].join('\n'),
  )
}
