// An administrator's calls, as `curl` would make them.
import type { TestGateway } from './gateway.ts'

export const WRITE_KEY = 'write-key-canary-of-more-than-32-bytes'
export const READ_KEY = 'read-key-canary-of-more-than-32-bytes'

/** The section `admin` with these keys. */
export const ADMIN = { write_keys: [{ id: 'ops', key: WRITE_KEY }], read_keys: [{ id: 'watch', key: READ_KEY }] }

export const LIMITS = '/v1/organizations/spend_limits'

export interface Answer {
  status: number
  body: any
  headers: Headers
}

export type Call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>

/** Calls below `/v1/organizations/spend_limits`, with the writing key unless headers say otherwise. A text is sent as it is. */
export function adminCalls(gateway: TestGateway): Call {
  return async (method, path, body, headers = { 'x-api-key': WRITE_KEY }) => {
    const sent = body === undefined ? {} : { body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body) }
    const response = await fetch(gateway.url + LIMITS + path, { method, headers: { 'content-type': 'application/json', ...headers }, ...sent })
    const text = await response.text()
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text), headers: response.headers }
  }
}

/** Waits until something holds; the test's own time limit ends it otherwise. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await Bun.sleep(20)
}
