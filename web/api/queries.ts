import {
  QueryClient,
  useMutation,
  type UseMutationResult,
  useQuery,
  useQueryClient,
  type UseQueryResult,
} from '@tanstack/react-query'
import { useRef } from 'react'
import type { Topic } from '../../broker/api/live.js'
import type { Session } from '../../broker/api/users.js'
import { api, ApiError, apiUnlessSame, knowCsrf } from './client.js'

declare module '@tanstack/react-query' {
  interface Register {
    queryMeta: { readonly topics?: readonly Topic[] }
    defaultError: ApiError
  }
}

export const SESSION_KEY = ['session'] as const
const MOST_TRIES = 3

/** Nothing is asked for again by time: the broker tells what has changed (live.ts). */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: Infinity,
      refetchOnWindowFocus: false,
      refetchOnReconnect: false,
      retry: (failures, error) => error.code === 'no_connection' && failures < MOST_TRIES,
    },
  },
})

/** What `path` below /api/v1 answers, kept true: it is asked for again when one of the topics changes. */
export function useGet<T>(
  path: string,
  topics: readonly Topic[],
  options: { readonly enabled?: boolean } = {},
): UseQueryResult<T, ApiError> {
  return useQuery<T, ApiError>({
    queryKey: ['get', path],
    queryFn: async ({ signal }) => await timed(path, async () => await look<T>(path, signal)),
    meta: { topics },
    ...options,
  })
}

/** Who is logged in; null: nobody. */
export function useSession(): UseQueryResult<Session | null, ApiError> {
  return useQuery<Session | null, ApiError>({ queryKey: SESSION_KEY, queryFn: readSession })
}

/** Whose is what this window keeps for itself: what they have typed and begun. */
const PERSON = 'berth-person'

/**
 * Another person, or nobody: what the last one saw is forgotten. What they had begun is there again
 * when they log in themselves.
 */
export function beginSession(session: Session | null): void {
  keepFor(session?.name ?? null)
  if (session) knowCsrf(session.csrf)
  queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] === 'get' })
  marks.clear()
  queryClient.setQueryData(SESSION_KEY, session)
}

function keepFor(name: string | null): void {
  if (name === null || name !== sessionStorage.getItem(PERSON)) sessionStorage.clear()
  if (name !== null) sessionStorage.setItem(PERSON, name)
}

async function readSession(): Promise<Session | null> {
  try {
    const session = await api<Session>('GET', '/session')
    knowCsrf(session.csrf)
    keepFor(session.name)
    return session
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null
    throw error
  }
}

/**
 * Something that changes the world; what it changed comes back by push. The same act is not asked
 * for twice at once: a double click is one order.
 */
export function useAct<Input, Answer = unknown>(
  act: (input: Input) => Promise<Answer>,
): UseMutationResult<Answer, ApiError, Input> {
  const client = useQueryClient()
  const running = useRef<string | null>(null)
  const mutation = useMutation<Answer, ApiError, Input>({
    mutationFn: act,
    onError: (error) => {
      if (error.status === 401) client.setQueryData(SESSION_KEY, null)
    },
    onSettled: () => {
      running.current = null
    },
  })
  const mutate: typeof mutation.mutate = (...order) => {
    const wanted = JSON.stringify([order[0]])
    if (running.current === wanted) return
    running.current = wanted
    mutation.mutate(...order)
  }
  return { ...mutation, mutate }
}

/** Marks of answers that are at hand: one that is still the same is not sent again. */
const marks = new Map<string, string | undefined>()

async function look<T>(path: string, signal: AbortSignal): Promise<T> {
  const known = queryClient.getQueryData<T>(['get', path])
  const found = await apiUnlessSame<T>(path, {
    signal,
    background: true,
    mark: known === undefined ? undefined : marks.get(path),
  })
  // Forgotten meanwhile, as somebody else logged in: there is nothing of which it could be said that it is still so.
  if (found === null)
    return (
      queryClient.getQueryData<T>(['get', path]) ??
      (await api<T>('GET', path, { signal, background: true }))
    )
  marks.set(path, found.mark)
  return found.answer
}

/** How long each path took last time, in milliseconds: what is dear is asked for less often. */
const durations = new Map<string, number>()
export function lastDurationMs(path: string): number {
  return durations.get(path) ?? 0
}

async function timed<T>(path: string, ask: () => Promise<T>): Promise<T> {
  const from = performance.now()
  try {
    return await ask()
  } catch (error) {
    if (error instanceof ApiError && error.status === 401)
      queryClient.setQueryData(SESSION_KEY, null)
    throw error
  } finally {
    durations.set(path, performance.now() - from)
  }
}
