import { GatewayError } from '../errors.ts'
import { readForm } from '../http/body.ts'

export type Parameters = ReadonlyMap<string, string>

/**
 * The parameters of a form post. RFC 6749 §3.2: one without a value counts as omitted, unknown ones are ignored, none
 * may be repeated, because two readers could each act on another one. Throws `invalid_request`, `too_large`.
 */
export async function readParameters(request: Request, maxBytes: number): Promise<Parameters> {
  const parameters = new Map<string, string>()
  for (const [name, value] of await readForm(request, maxBytes)) {
    if (parameters.has(name)) throw new GatewayError('invalid_request', 'a parameter is repeated')
    parameters.set(name, value)
  }
  return new Map([...parameters].filter(([, value]) => value !== ''))
}
