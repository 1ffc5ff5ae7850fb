import { refusal } from '../errors/broker-error.js'

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
    throw refusal('too_many_documents', { documents: MOST_DOCUMENTS, lines: MOST_LINES })
  if (documents.some((document) => document.length > LONGEST_DOCUMENT))
    throw refusal('document_too_long', { most: LONGEST_DOCUMENT })
  if (documents.some((document) => count(document, MARKS) > MOST_MARKS))
    throw refusal('document_too_full', { most: MOST_MARKS })
}

function count(text: string, what: RegExp): number {
  return text.match(what)?.length ?? 0
}
