// Workload Identity Federation: a projected identity token is exchanged for a short-lived credential (RFC 7523).
import { readFile } from 'node:fs/promises'
import { readSmallBody } from '../../egress/small-body.ts'
import type { AnthropicConfig } from '../config.ts'
import { keepFresh, type Credential, type CredentialDeps, type Expiring } from '../credential.ts'
import { CredentialError } from '../upstream.ts'

type FederationConfig = Extract<AnthropicConfig['auth'], { federation_rule_id: string }>

/** Renewed this long before the end. */
const EARLY_MS = 120_000
const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 64 * 1024

/** A token of the API at `baseUrl`. */
export function createFederation(config: FederationConfig, baseUrl: string, deps: CredentialDeps): Credential<string> {
  return keepFresh(() => exchange(config, baseUrl, deps), deps)
}

async function exchange(config: FederationConfig, baseUrl: string, deps: CredentialDeps): Promise<Expiring<string>> {
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

function readAnswer(text: string, nowMs: number): Expiring<string> {
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
  const expiresAtMs = nowMs + seconds * 1000
  return { value: token, expiresAtMs, renewAtMs: expiresAtMs - EARLY_MS }
}
