// A Messages request as far as the gateway has to understand it.
import { GatewayError } from '../errors.ts'
import { readBytes } from '../http/body.ts'
import { memberOf, scanObject, textOf, type MarkedObject, type Member } from '../json/scan.ts'

export interface MessagesRequest extends MarkedObject {
  /** As the client spells it. */
  readonly model: string
  readonly stream: boolean
}

const REASONS = { invalid_json: 'invalid JSON', not_an_object: 'request body must be a JSON object', too_many_members: 'request body has too many members' }

/** Reads and checks a body. Throws 413, 415 or 400 with the sentence of the contract. `arrived`: all of it is there. */
export async function readMessagesRequest(request: Request, maxBytes: number, arrived: () => void = () => {}): Promise<MessagesRequest> {
  const coding = request.headers.get('content-encoding')
  if (coding !== null && coding.toLowerCase() !== 'identity') throw new GatewayError('unsupported_media_type', 'the request body must not be compressed')
  const bytes = await readBytes(request, maxBytes)
  arrived()
  const scan = scanObject(bytes)
  if (!scan.ok) throw new GatewayError('invalid_request', REASONS[scan.reason])
  return { bytes, members: scan.members, marks: scan.marks, model: readModel(bytes, scan.members), stream: isTrue(bytes, memberOf(scan.members, 'stream')) }
}

function readModel(bytes: Uint8Array, members: readonly Member[]): string {
  const member = memberOf(members, 'model')
  if (member === undefined || isNull(bytes, member)) throw new GatewayError('invalid_request', 'model is required')
  if (bytes[member.valueStart] !== 0x22) throw new GatewayError('invalid_request', 'model must be a string')
  const model = textOf(bytes, member.valueStart, member.end)
  if (model === '') throw new GatewayError('invalid_request', 'model is required')
  return model
}

function isTrue(bytes: Uint8Array, member: Member | undefined): boolean {
  return member !== undefined && bytes[member.valueStart] === 0x74
}

function isNull(bytes: Uint8Array, member: Member): boolean {
  return bytes[member.valueStart] === 0x6e
}
