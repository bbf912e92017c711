// GatewayError in the Anthropic envelope: bearer surfaces and everything a stranger may hit.
import { GatewayError, type ErrorKind } from '../../errors.ts'

const RENDERING: Record<ErrorKind, { status: number; type: string }> = {
  invalid_request: { status: 400, type: 'invalid_request_error' },
  unauthenticated: { status: 401, type: 'authentication_error' },
  forbidden: { status: 403, type: 'permission_error' },
  not_found: { status: 404, type: 'not_found_error' },
  method_not_allowed: { status: 405, type: 'invalid_request_error' },
  too_large: { status: 413, type: 'request_too_large' },
  unsupported_media_type: { status: 415, type: 'invalid_request_error' },
  rate_limited: { status: 429, type: 'rate_limit_error' },
  spend_limited: { status: 429, type: 'billing_error' },
  not_supported: { status: 501, type: 'not_supported' },
  upstream_failed: { status: 502, type: 'api_error' },
  overloaded: { status: 529, type: 'overloaded_error' },
  unavailable: { status: 503, type: 'api_error' },
  internal: { status: 500, type: 'api_error' },
}

/** `{"type":"error","request_id":…,"error":{"type","message"}}` with the status of the error's kind; the SDKs read the id from the header. */
export function anthropicError(error: GatewayError, requestId: string): Response {
  const { status, type } = RENDERING[error.kind]
  return Response.json(
    { type: 'error', request_id: requestId, error: { type, message: error.message } },
    { status: error.status ?? status, headers: { 'cache-control': 'no-store', 'request-id': requestId, ...refusalHeaders(error.kind), ...error.headers } },
  )
}

/** A 401 without `x-should-retry: false` is retried by the client for three minutes before the person hears of it. */
function refusalHeaders(kind: ErrorKind): Record<string, string> {
  return kind === 'unauthenticated' ? { 'x-should-retry': 'false', 'www-authenticate': 'Bearer' } : {}
}
