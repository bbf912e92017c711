// Who may use the operator's surfaces: the holder of an admin key, or a person of an admin group.
import { timingSafeEqual } from 'node:crypto'
import { GatewayError } from '../errors.ts'
import type { Observe } from '../observe/events.ts'
import type { Principal } from '../principal.ts'
import type { Result } from '../std/result.ts'
import type { Secret } from '../std/secret.ts'
import { presentedToken } from './authenticate.ts'

export interface AdminKey {
  readonly id: string
  readonly key: Secret
}

export interface AdminRules {
  readonly write_keys: readonly AdminKey[]
  readonly read_keys: readonly AdminKey[]
  readonly admin_groups: readonly string[]
}

export interface AdminActor {
  /** `admin-key:<id>` or `oidc:<sub>`, as the audit trail names it. */
  readonly name: string
  readonly mayWrite: boolean
}

/** Checks a bearer as the bearer surfaces do. */
export type Verify = (token: string) => Promise<Result<Principal, string>>

/** The actor behind a request's credential, or undefined. Without rules nobody is one. */
export type AdminAccess = (headers: Headers) => Promise<AdminActor | undefined>

export function createAdminAccess(rules: AdminRules | undefined, verify: Verify): AdminAccess {
  if (rules === undefined) return async () => undefined
  const keys = [...rules.write_keys.map((key) => hashed(key, true)), ...rules.read_keys.map((key) => hashed(key, false))]
  return async (headers) => {
    const presented = presentedToken(headers)
    if (!presented.ok) return undefined
    const offered = digest(headers.get('x-api-key') ?? '')
    // Every key is compared, in constant time: neither its bytes nor its place is told by how long it takes.
    const found = keys.reduce<AdminActor | undefined>((match, { hash, actor }) => (timingSafeEqual(hash, offered) ? actor : match), undefined)
    if (found !== undefined || rules.admin_groups.length === 0) return found
    const person = await verify(presented.value)
    return person.ok && isAdministrator(rules, person.value.groups) ? { name: `oidc:${person.value.sub}`, mayWrite: true } : undefined
  }
}

/** Whether somebody of these groups is one. */
export function isAdministrator(rules: Pick<AdminRules, 'admin_groups'> | undefined, groups: readonly string[]): boolean {
  return rules !== undefined && groups.some((group) => rules.admin_groups.includes(group))
}

function hashed({ id, key }: AdminKey, mayWrite: boolean) {
  return { hash: digest(key.reveal()), actor: { name: `admin-key:${id}`, mayWrite } }
}

function digest(text: string): Uint8Array {
  return new Bun.CryptoHasher('sha256').update(text).digest()
}

/** The administrator behind a request; else it is written down and refused with 401 `missing or invalid admin credentials`. */
export type RequireAdmin = (headers: Headers, about: AdminRequest) => Promise<AdminActor>

export interface AdminRequest {
  readonly requestId: string
  readonly clientIp: string
  readonly method: string
  readonly path: string
}

export function createRequireAdmin(access: AdminAccess, observe: Observe): RequireAdmin {
  return async (headers, { requestId, clientIp, method, path }) => {
    const actor = await access(headers)
    if (actor !== undefined) return actor
    observe({ evt: 'admin.denied', request_id: requestId, client_ip: clientIp, method, path })
    throw new GatewayError('unauthenticated', 'missing or invalid admin credentials')
  }
}
