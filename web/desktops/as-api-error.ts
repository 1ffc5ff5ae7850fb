import { ApiError } from '../api/client.js'

/** What was thrown, in the form in which the pages show it. */
export function asApiError(fault: unknown): ApiError {
  return fault instanceof ApiError ? fault : new ApiError(0, 'internal', String(fault))
}
