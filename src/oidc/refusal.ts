// Every reason why a person is not signed in, or not kept signed in. Closed: the audit log shows them as they are, the
// person sees one general sentence.

/** What is wrong with an id_token. */
export type IdTokenFault =
  | 'id_token_missing'
  | 'id_token_malformed'
  | 'id_token_algorithm'
  | 'id_token_signature'
  | 'id_token_issuer'
  | 'id_token_audience'
  | 'id_token_authorized_party'
  | 'id_token_subject'
  | 'id_token_expired'
  | 'id_token_issued_at'
  | 'id_token_not_before'
  | 'id_token_nonce'
  | 'id_token_access_token_hash'

/** Why a known person may not come in. */
export type AdmissionFault = 'email_unverified' | 'email_missing' | 'email_malformed' | 'email_domain' | 'group'

/** The provider could not be asked, or did not answer sensibly; none of it speaks against the person. */
export type ProviderTrouble =
  /** Unreachable, too slow, 429 or 5xx. */
  | 'idp_unavailable'
  /** The token endpoint's answer is not one. */
  | 'token_response'
  /** The provider knows this client no more, or not with this credential. */
  | 'client_refused'
  /** An OAuth error that is neither about the grant nor about the client. */
  | 'idp_error'
  /** The key set could not be used. */
  | 'signing_keys'
  | 'userinfo_failed'
  | 'group_lookup'

/** The provider refused the code or the refresh token. */
type GrantFault = 'grant_refused'

/** Someone else's claims came back. */
type IdentityFault = 'userinfo_subject'

export type CallbackFault =
  | 'state_mismatch'
  /** RFC 9207: the answer comes from another issuer than the one asked. */
  | 'callback_issuer'
  | 'callback_malformed'
  /** The person, or the provider on its own, declined. */
  | 'idp_denied'
  | 'callback_error'

export type SignInRefusal = CallbackFault | GrantFault | IdTokenFault | IdentityFault | AdmissionFault | ProviderTrouble
export type RefreshRefusal = GrantFault | IdTokenFault | IdentityFault | AdmissionFault | ProviderTrouble

const TROUBLE: ReadonlySet<string> = new Set<ProviderTrouble>([
  'idp_unavailable',
  'token_response',
  'client_refused',
  'idp_error',
  'signing_keys',
  'userinfo_failed',
  'group_lookup',
])

/** True when trying again later may succeed: such a refusal must not end a session. */
export function isProviderTrouble(reason: string): reason is ProviderTrouble {
  return TROUBLE.has(reason)
}
