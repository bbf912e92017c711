// What is known of the identity provider without asking it: how its last requests ended. Who wants to know whether it works
// must not be what it has to answer.
import { EgressError } from '../egress/egress-error.ts'
import { isPassing, type ProviderFetch } from './provider-fetch.ts'

export interface ProviderRecord {
  /** The same fetch, listened to. */
  readonly fetch: ProviderFetch
  state(): ProviderAnswers
}

/** Moments in milliseconds since the epoch. */
export interface ProviderAnswers {
  /** When it answered last, whatever it said of the request. */
  readonly answeredAtMs: number | undefined
  /** When it last did not, or only that it cannot now. */
  readonly trouble: { readonly atMs: number; readonly words: string } | undefined
  /** How the last one ended: both may have been in the same millisecond. */
  readonly answers: boolean
}

export function recordProvider(send: ProviderFetch, now: () => Date): ProviderRecord {
  let answeredAtMs: number | undefined
  let trouble: ProviderAnswers['trouble']
  let answers = true

  function troubled(words: string): void {
    trouble = { atMs: now().getTime(), words }
    answers = false
  }

  function answered(): void {
    answeredAtMs = now().getTime()
    answers = true
  }

  return {
    fetch: async (url, init) => {
      try {
        const response = await send(url, init)
        if (isPassing(response.status)) troubled(`${hostOf(url)} answered ${response.status}`)
        else answered()
        return response
      } catch (error) {
        if (error instanceof EgressError) troubled(error.message)
        throw error
      }
    },
    state: () => ({ answeredAtMs, trouble, answers }),
  }
}

function hostOf(url: string | URL): string {
  return new URL(url).host
}
