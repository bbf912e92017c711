// Google's tokens carry no groups: the Directory API is asked, by a service account with domain-wide delegation that
// acts for an administrator.
import { importPKCS8, SignJWT, type CryptoKey } from 'jose'
import { BootError } from '../errors.ts'
import type { Result } from '../std/result.ts'
import { MAX_GROUP_LIST_BYTES, type GroupLookup } from './group-lookup.ts'
import { fetchDocument, type ProviderFetch } from './provider-fetch.ts'

const TOKEN_URL = 'https://oauth2.googleapis.com/token'
const DIRECTORY_URL = 'https://admin.googleapis.com/admin/directory/v1/groups'
const SCOPE = 'https://www.googleapis.com/auth/admin.directory.group.readonly'
const ASSERTION_SECONDS = 600
/** A token is not used in its last minute: it could expire on the way. */
const MARGIN_SECONDS = 60
/** 200 groups each. */
const MAX_PAGES = 50
/** For all pages together; somebody is waiting in front of a browser. */
const LOOKUP_MS = 20_000

export interface GoogleGroupsOptions {
  serviceAccountPath: string
  /** The administrator that the service account acts for. */
  adminEmail: string
  fetch: ProviderFetch
  now: () => Date
  /** Google's own, unless a test has a server of its own. */
  endpoints?: { token: string; directory: string } | undefined
}

interface ServiceAccount {
  clientEmail: string
  keyId: string | undefined
  key: CryptoKey
}

type Lookup<value> = Promise<Result<value, 'idp_unavailable' | 'group_lookup'>>

/** Throws BootError when the service account's file cannot be used. */
export async function createGoogleGroups(options: GoogleGroupsOptions): Promise<GroupLookup> {
  const { fetch, adminEmail, now, endpoints = { token: TOKEN_URL, directory: DIRECTORY_URL } } = options
  const account = await loadServiceAccount(options.serviceAccountPath)
  let token: { value: string; expiresAtSeconds: number } | undefined

  async function accessToken(): Lookup<string> {
    const nowSeconds = Math.floor(now().getTime() / 1000)
    if (token !== undefined && nowSeconds < token.expiresAtSeconds - MARGIN_SECONDS) return { ok: true, value: token.value }
    const assertion = await signAssertion(account, adminEmail, nowSeconds)
    const answer = await ask(fetch, endpoints.token, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer', assertion }).toString(),
    })
    if (!answer.ok) return answer
    const { access_token, expires_in } = answer.value
    if (typeof access_token !== 'string' || typeof expires_in !== 'number') return { ok: false, reason: 'group_lookup', detail: 'Google: not a token response' }
    token = { value: access_token, expiresAtSeconds: nowSeconds + expires_in }
    return { ok: true, value: access_token }
  }

  return async ({ email }) => {
    if (email === undefined) return { ok: true, value: [] }
    const bearer = await accessToken()
    if (!bearer.ok) return bearer
    const groups = await listGroups(fetch, endpoints.directory, email, bearer.value)
    // It may be the token that is refused: the next lookup gets a new one.
    if (!groups.ok) token = undefined
    return groups
  }
}

async function listGroups(fetch: ProviderFetch, directory: string, email: string, bearer: string): Lookup<readonly string[]> {
  const groups: string[] = []
  const giveUpAtMs = performance.now() + LOOKUP_MS
  let pageToken: string | undefined
  for (let page = 0; page < MAX_PAGES && performance.now() < giveUpAtMs; page++) {
    const url = new URL(directory)
    url.searchParams.set('userKey', email)
    url.searchParams.set('maxResults', '200')
    if (pageToken !== undefined) url.searchParams.set('pageToken', pageToken)
    const answer = await ask(fetch, url, { headers: { authorization: `Bearer ${bearer}`, accept: 'application/json' }, maxBytes: MAX_GROUP_LIST_BYTES })
    if (!answer.ok) return answer
    const { groups: listed = [], nextPageToken } = answer.value
    if (!Array.isArray(listed)) return { ok: false, reason: 'group_lookup', detail: 'Google: not a list of groups' }
    groups.push(...listed.map((group: { email?: unknown } | null) => group?.email).filter((address) => typeof address === 'string'))
    if (typeof nextPageToken !== 'string' || nextPageToken === '') return { ok: true, value: groups }
    pageToken = nextPageToken
  }
  return { ok: false, reason: 'group_lookup', detail: `Google: the list of groups did not end after ${MAX_PAGES} pages or ${LOOKUP_MS / 1000} seconds` }
}

async function ask(fetch: ProviderFetch, url: string | URL, init: Parameters<ProviderFetch>[1]): Lookup<Record<string, unknown>> {
  const answer = await fetchDocument(fetch, url, init)
  return answer.ok ? answer : { ok: false, reason: answer.reason === 'unavailable' ? 'idp_unavailable' : 'group_lookup', detail: `Google: ${answer.detail}` }
}

/** RFC 7523 §3, with Google's `scope` claim. */
function signAssertion({ clientEmail, keyId, key }: ServiceAccount, adminEmail: string, nowSeconds: number): Promise<string> {
  return new SignJWT({ scope: SCOPE })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(keyId !== undefined && { kid: keyId }) })
    .setIssuer(clientEmail)
    .setSubject(adminEmail)
    .setAudience(TOKEN_URL)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + ASSERTION_SECONDS)
    .sign(key)
}

async function loadServiceAccount(path: string): Promise<ServiceAccount> {
  try {
    const { client_email, private_key, private_key_id } = (await Bun.file(path).json()) as Record<string, unknown>
    if (typeof client_email !== 'string' || typeof private_key !== 'string') throw new Error('not a service account')
    return { clientEmail: client_email, keyId: typeof private_key_id === 'string' ? private_key_id : undefined, key: await importPKCS8(private_key, 'RS256') }
  } catch {
    // The cause is dropped: it may quote the key.
    throw new BootError(`oidc.google_groups.service_account_json_path ${path}: is not the JSON key file of a service account`)
  }
}
