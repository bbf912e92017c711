// `stamp_identity`: says on an export whose it is, where it does not say so itself.
import { promisify } from 'node:util'
import { constants, gunzip, gzip } from 'node:zlib'
import type { Export } from './collector.ts'
import type { Attributes } from './identity.ts'
import { stampJson } from './stamp-json.ts'
import { stampProtobuf } from './stamp-protobuf.ts'

/** Of an export without its compression; a larger one goes on as it is, because to read it would keep everybody waiting. */
const MOST_BYTES = 4 * 1024 * 1024
/** What it may grow by: far more than the attributes of a client's one resource. */
const MOST_GROWTH = 1024 * 1024
const [unpack, pack] = [promisify<Uint8Array, object, Buffer>(gunzip), promisify<Uint8Array, object, Buffer>(gzip)]

/** The export with what is missing; undefined where it cannot be read. What is (un)packed is so off the main thread. */
export async function stamp(item: Export, attributes: Attributes): Promise<Export | undefined> {
  const plain = item.contentEncoding === undefined ? item.body : await unpack(item.body, { maxOutputLength: MOST_BYTES }).catch(() => undefined)
  if (plain === undefined || plain.length > MOST_BYTES) return undefined
  const stamped = item.contentType === 'application/json' ? stampJson(plain, attributes) : stampProtobuf(plain, attributes)
  if (stamped === undefined || stamped.length > plain.length + MOST_GROWTH) return undefined
  return { ...item, body: item.contentEncoding === undefined ? stamped : await pack(stamped, { level: constants.Z_BEST_SPEED }) }
}
