import type { RequestContext } from '../http/request-context.ts'
import type { Identity } from '../principal.ts'
import type { OAuthDeps } from './deps.ts'

export interface Issued {
  identity: Identity
  sid: string
  refreshToken: string | undefined
}

/** RFC 6749 §5.1, with the e-mail address, so that the client can show the account before it stores anything. */
export async function tokenAnswer(deps: OAuthDeps, context: RequestContext, { identity, sid, refreshToken }: Issued): Promise<Response> {
  await deps.greet(identity, context)
  const { token, expiresIn } = deps.tokens.mint(identity, sid, Math.floor(deps.now().getTime() / 1000))
  deps.observe({
    evt: 'session.mint',
    request_id: context.requestId,
    client_ip: context.clientIp,
    issuer: identity.issuer,
    sub: identity.sub,
    email: identity.email,
    sid,
    groups: identity.groups,
    expires_in: expiresIn,
  })
  return Response.json(
    {
      access_token: token,
      token_type: 'Bearer',
      expires_in: expiresIn,
      ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }),
      ...(identity.email === undefined ? {} : { email: identity.email }),
    },
    { headers: { 'cache-control': 'no-store', pragma: 'no-cache' } },
  )
}
