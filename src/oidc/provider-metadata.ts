// The provider's discovery document (OpenID Connect Discovery §3), judged before anything in it is used. Pure.
import { checkOperatorUrl } from '../egress/operator-url.ts'
import type { Result } from '../std/result.ts'

export interface ProviderMetadata {
  readonly issuer: string
  readonly authorization_endpoint: string
  readonly token_endpoint: string
  readonly jwks_uri: string
  readonly userinfo_endpoint: string | undefined
  readonly token_endpoint_auth_methods_supported: readonly string[] | undefined
  readonly authorization_response_iss_parameter_supported: boolean
}

export type MetadataFault = 'issuer' | 'endpoint'

/** `detail` says what is wrong, as the end of a sentence that begins with "its discovery document". */
export function judgeMetadata(document: Readonly<Record<string, unknown>>, issuer: string): Result<ProviderMetadata, MetadataFault> {
  // Discovery §4.3: the issuer must be the one asked for, exactly; a slash more or less is another issuer.
  if (document.issuer !== issuer) return { ok: false, reason: 'issuer', detail: `names the issuer ${quote(document.issuer)}: oidc.issuer must be spelled exactly so` }
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'userinfo_endpoint'] as const) {
    if (name === 'userinfo_endpoint' && document[name] === undefined) continue
    const problem = endpointProblem(document[name], issuer)
    if (problem !== undefined) return { ok: false, reason: 'endpoint', detail: `has a ${name} that ${problem}` }
  }
  const methods = document.token_endpoint_auth_methods_supported
  return {
    ok: true,
    value: {
      issuer,
      authorization_endpoint: document.authorization_endpoint as string,
      token_endpoint: document.token_endpoint as string,
      jwks_uri: document.jwks_uri as string,
      userinfo_endpoint: document.userinfo_endpoint as string | undefined,
      token_endpoint_auth_methods_supported: Array.isArray(methods) ? methods.filter((method) => typeof method === 'string') : undefined,
      authorization_response_iss_parameter_supported: document.authorization_response_iss_parameter_supported === true,
    },
  }
}

function endpointProblem(value: unknown, issuer: string): string | undefined {
  if (value === undefined) return 'is missing'
  if (typeof value !== 'string' || !URL.canParse(value)) return 'is not a URL'
  const isHttpIssuer = issuer.startsWith('http:')
  // Only an operator who chose an http issuer has accepted that tokens travel in the clear.
  if (new URL(value).protocol === 'http:' && !isHttpIssuer) return 'is not https'
  // Loopback is the outbound guard's to decide, by the address and not by the text.
  return checkOperatorUrl(value, { allowLoopback: true, allowHttpPrivate: isHttpIssuer })
}

function quote(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 200)) : '(none)'
}
