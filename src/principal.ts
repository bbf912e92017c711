/** Who is calling, as one bearer token says it. Identity is (issuer, sub), never the e-mail, which can change hands. */
export interface Principal {
  /** The IdP's issuer URL. */
  readonly issuer: string
  readonly sub: string
  readonly email: string | undefined
  readonly name: string | undefined
  readonly groups: readonly string[]
  /** The sign-in this token belongs to; revoking it ends every token of it. */
  readonly sid: string
  readonly jti: string
  /** Unix seconds. */
  readonly expiresAt: number
}

/** What an identity provider says of a person, before any token of ours exists. */
export interface Identity {
  readonly issuer: string
  readonly sub: string
  readonly email: string | undefined
  readonly name: string | undefined
  readonly groups: readonly string[]
}
