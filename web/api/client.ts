import type { ErrorBody, ErrorParameters } from '../../broker/api/common.js'

/**
 * What the broker refused: `code` and `reason` are of its closed lists, `message` is its sentence in
 * English.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly details: readonly unknown[] = [],
    readonly reason = '',
    readonly parameters: ErrorParameters = {},
  ) {
    super(message)
  }
}

export interface ApiOptions {
  readonly body?: unknown
  /** Nobody did anything: the page asks by itself. */
  readonly background?: boolean
  readonly signal?: AbortSignal
  readonly accept?: string
  /** So long an answer may take; a line that hangs is a broker that does not answer. */
  readonly withinMs?: number
  /** The mark of an answer that is at hand. */
  readonly mark?: string | undefined
}

/** Proves that the page could read an answer of the broker; known in memory only, from GET /session. */
let csrf = ''
export function knowCsrf(token: string): void {
  csrf = token
}

/** Longer than the broker lets anybody wait for a desktop. */
const PATIENCE_MS = 90_000

/** Asks the broker; `path` is below /api/v1. Throws ApiError; code `no_connection` when the broker does not answer. */
export async function api<T>(
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  options: ApiOptions = {},
): Promise<T> {
  const response = await request(method, path, options)
  if (response.status === 204) return undefined as T
  return (await response.json()) as T
}

/** An answer with the mark by which it is known again, where it has one. `null`: what carries `mark` is still so. */
export async function apiUnlessSame<T>(
  path: string,
  options: ApiOptions,
): Promise<{ readonly answer: T; readonly mark: string | undefined } | null> {
  const response = await request('GET', path, options)
  return response.status === 304
    ? null
    : { answer: (await response.json()) as T, mark: response.headers.get('etag') ?? undefined }
}

/** As `api`, for an answer that is a text or a file. */
export async function apiText(
  method: 'GET' | 'POST',
  path: string,
  options: ApiOptions = {},
): Promise<string> {
  return await (await request(method, path, options)).text()
}

async function request(method: string, path: string, options: ApiOptions): Promise<Response> {
  const { body, signal, withinMs = PATIENCE_MS } = options
  const headers = headersOf(method, options)
  let response: Response
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      headers,
      credentials: 'same-origin',
      cache: 'no-store',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.any([AbortSignal.timeout(withinMs), ...(signal ? [signal] : [])]),
    })
  } catch (error) {
    if (signal?.aborted === true) throw error
    throw new ApiError(0, 'no_connection', 'The broker does not answer.')
  }
  if (!response.ok && response.status !== 304) throw await refusal(response)
  return response
}

function headersOf(
  method: string,
  { body, background, accept, mark }: ApiOptions,
): Record<string, string> {
  const headers: Record<string, string> = { accept: accept ?? 'application/json' }
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (method !== 'GET') headers['x-berth-csrf'] = csrf
  if (background === true) headers['x-berth-background'] = '1'
  if (mark !== undefined) headers['if-none-match'] = mark
  return headers
}

async function refusal(response: Response): Promise<ApiError> {
  const body = (await response.json().catch(() => ({}))) as Partial<ErrorBody>
  return new ApiError(
    response.status,
    body.code ?? 'internal',
    body.message ?? `HTTP ${response.status}`,
    body.details,
    body.reason,
    body.parameters,
  )
}

/** A path with its parts made safe: path`/machines/${name}`. */
export function path(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return parts.reduce(
    (text, part, index) =>
      `${text}${part}${index < values.length ? encodeURIComponent(values[index] ?? '') : ''}`,
    '',
  )
}
