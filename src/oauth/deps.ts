import type { Database } from '../db/connect.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { RateLimit } from '../http/rate-limit.ts'
import type { Observe } from '../observe/events.ts'
import type { Debug } from '../observe/log-level.ts'
import type { Identity } from '../principal.ts'
import type { RelyingParty, SignInOutcome } from '../oidc/relying-party.ts'
import type { Revocations } from '../session/revocations.ts'
import type { Sealer } from '../session/seal.ts'
import type { Tokens } from '../session/token.ts'
import type { RateLimitsConfig } from './config.ts'

/** What the sign-in is made of. */
export interface OAuthDeps {
  publicUrl: string
  rateLimits: RateLimitsConfig
  session: { max_hours: number }
  /** Origins, besides the identity provider's, that the way through it may touch. */
  formActionOrigins: readonly string[]
  db: Database
  relyingParty: RelyingParty
  tokens: Tokens
  sealer: Sealer
  revocations: Revocations
  /** Told of every token, before it is handed out. Never fails. */
  greet: (identity: Identity, context: RequestContext) => Promise<void>
  /** Who came back from a sign-in that was begun for a page of the gateway: for which one, as `prepareAttempt` was told. */
  finishPage: (request: Request, outcome: SignInOutcome, page: string | undefined) => Promise<Response>
  observe: Observe
  /** For events that were stored with the change they are about. */
  tell: Observe
  debug: Debug
  now: () => Date
}

/** Per address. */
export interface Limits {
  /** Sign-ins begun. */
  authorization: RateLimit
  /** Codes entered, to go on or to decline. */
  verify: RateLimit
  /** Codes looked at. */
  look: RateLimit
}

/** What sealed values are for: one cannot be opened as another. */
export const SEALED = { device: 'sign_in_attempt', page: 'page_sign_in_attempt', idpToken: 'idp_refresh_token', successor: 'refresh_successor' } as const
