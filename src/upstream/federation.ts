// Workload Identity Federation: a projected identity token is exchanged for a short-lived credential (RFC 7523).
import { readFile } from 'node:fs/promises'
import { readSmallBody } from '../egress/small-body.ts'
import type { UpstreamDeps } from './anthropic.ts'
import type { AnthropicConfig } from './config.ts'
import { CredentialError } from './upstream.ts'

type FederationConfig = Extract<AnthropicConfig['auth'], { federation_rule_id: string }>

/** Refreshed this long before the end, while the old one is still used. */
const EARLY_MS = 120_000
/** Closer to the end than this a token is not used any more. */
const LATE_MS = 30_000
const BACK_OFF_MS = 5000
const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 64 * 1024

interface Credential {
  readonly token: string
  readonly expiresAtMs: number
}

/** `token()` gives a living token; one exchange at a time, and a failing refresh keeps the last good one. Throws CredentialError. */
export function createFederation(config: FederationConfig, baseUrl: string, deps: UpstreamDeps) {
  let current: Credential | undefined
  let exchanging: Promise<Credential> | undefined
  let failedAtMs = Number.NEGATIVE_INFINITY

  function renew(): Promise<Credential> {
    exchanging ??= exchange(config, baseUrl, deps)
      .then((credential) => {
        current = credential
        return credential
      })
      .catch((error: Error) => {
        failedAtMs = deps.now().getTime()
        deps.observe({ op: 'error', message: `upstream credential: ${error.message}`, repeat: 'federation' })
        throw error
      })
      .finally(() => {
        exchanging = undefined
      })
    return exchanging
  }

  return {
    async token(): Promise<string> {
      const nowMs = deps.now().getTime()
      const leftMs = (current?.expiresAtMs ?? 0) - nowMs
      const mayTry = nowMs - failedAtMs >= BACK_OFF_MS
      if (current !== undefined && leftMs > LATE_MS) {
        if (leftMs < EARLY_MS && mayTry) renew().catch(() => {})
        return current.token
      }
      if (!mayTry && exchanging === undefined) throw new CredentialError('the last exchange failed a moment ago')
      return (await renew()).token
    },
  }
}

async function exchange(config: FederationConfig, baseUrl: string, deps: UpstreamDeps): Promise<Credential> {
  const { federation_rule_id, organization_id, service_account_id, workspace_id } = config
  const body = JSON.stringify({
    grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
    assertion: await readAssertion(config.identity_token_file),
    federation_rule_id,
    organization_id,
    ...(service_account_id === undefined ? {} : { service_account_id }),
    ...(workspace_id === undefined ? {} : { workspace_id }),
  })
  const response = await deps.fetch(`${baseUrl}/v1/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'anthropic-beta': 'oauth-2025-04-20,oidc-federation-2026-04-01' },
    body,
    headersTimeoutMs: TIMEOUT_MS,
  })
  const text = Buffer.from(await readSmallBody(response, MAX_ANSWER_BYTES, TIMEOUT_MS)).toString('utf8')
  if (response.status !== 200) throw new CredentialError(`the token exchange was answered with ${response.status}`)
  return readAnswer(text, deps.now().getTime())
}

/** Read at every exchange: the platform replaces the file. */
async function readAssertion(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim()
  } catch (error) {
    throw new CredentialError(`cannot read ${file} (${(error as { code?: string }).code ?? 'unknown'})`)
  }
}

function readAnswer(text: string, nowMs: number): Credential {
  let answer: { access_token?: unknown; expires_in?: unknown }
  try {
    answer = JSON.parse(text)
  } catch {
    throw new CredentialError('the token exchange did not answer JSON')
  }
  const { access_token: token, expires_in: seconds } = answer
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token) || typeof seconds !== 'number' || !(seconds > 0)) {
    throw new CredentialError('the token exchange answered without a token')
  }
  return { token, expiresAtMs: nowMs + seconds * 1000 }
}
