import { Elysia } from 'elysia'
import { GatewayError } from '../errors.ts'
import { readBytes } from '../http/body.ts'
import { principalOf } from '../http/request-context.ts'
import { SIGNALS, type Signal } from './signal.ts'
import type { TelemetryRelay } from './relay.ts'

/** Far above what a client sends at once; collectors refuse more themselves. */
const MAX_EXPORT_BYTES = 8 * 1024 * 1024
/** OTLP/HTTP: the empty message of success, in the encoding that was asked in. */
const SUCCESS: ReadonlyMap<string, string> = new Map([
  ['application/x-protobuf', ''],
  ['application/json', '{}'],
])

/** `POST /v1/metrics`, `/v1/logs`, `/v1/traces`: taken over for the organisation's collectors, or discarded where none wants the signal. */
export function telemetryRoutes({ relay }: { relay: TelemetryRelay }) {
  const app = new Elysia({ name: 'telemetry' })
  for (const signal of SIGNALS) app.post(`/v1/${signal}`, ({ request }) => take(request, signal, relay))
  return app
}

async function take(request: Request, signal: Signal, relay: TelemetryRelay): Promise<Response> {
  const contentType = request.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? ''
  const success = SUCCESS.get(contentType)
  if (success === undefined) throw new GatewayError('unsupported_media_type', 'telemetry comes as application/x-protobuf or application/json')
  const coding = request.headers.get('content-encoding')?.trim().toLowerCase() ?? 'identity'
  if (coding !== 'identity' && coding !== 'gzip') throw new GatewayError('unsupported_media_type', 'telemetry comes plain or as gzip')
  const body = await readBytes(request, MAX_EXPORT_BYTES)
  const principal = principalOf(request)
  await relay.accept({ sub: principal.sub, signal, contentType, contentEncoding: coding === 'gzip' ? coding : undefined, body }, principal)
  return new Response(success, { headers: { 'content-type': contentType } })
}
