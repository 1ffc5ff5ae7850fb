import { BrokerError } from '../errors.js'

const MOST_DOCUMENTS = 1_000
const MOST_LINES = 20_000
/** A pool with 4,000 machines by hand. It is parsed in one go. */
const LONGEST_DOCUMENT = 65_536
/** What begins something that the parser has to look into: 64 KiB of nothing but commas take it most of a second. */
const MARKS = /[[{,"'?]|-\s/g
const MOST_MARKS = 10_000

/** Throws `invalid_request` for a text that would keep others waiting; it is counted before anything is parsed. */
export function refuseTooMuch(yaml: string): void {
  const documents = yaml.split(/^---/m)
  if (documents.length > MOST_DOCUMENTS || count(yaml, /\n/g) > MOST_LINES)
    throw new BrokerError(
      'invalid_request',
      `That is more than ${MOST_DOCUMENTS} documents or ${MOST_LINES} lines: apply them in parts.`,
    )
  if (documents.some((document) => document.length > LONGEST_DOCUMENT))
    throw new BrokerError(
      'invalid_request',
      `A single document has more than ${LONGEST_DOCUMENT} characters: no pool needs so many.`,
    )
  if (documents.some((document) => count(document, MARKS) > MOST_MARKS))
    throw new BrokerError(
      'invalid_request',
      `A single document has more than ${MOST_MARKS} lists, entries and quotes: no pool needs so many.`,
    )
}

function count(text: string, what: RegExp): number {
  return text.match(what)?.length ?? 0
}
