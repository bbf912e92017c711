// Runs scan.wasm, which does all of the strict reading: what it is and how it is compiled says wasm/scan.ts.
import { readFileSync } from 'node:fs'
import wasm from './wasm/scan.wasm' with { type: 'file' }

/** Which of the words that other steps ask for occur in JSON, each exactly this string, however it is spelled with escapes. */
export interface Marks {
  /** `1h` is a value. */
  readonly hour: boolean
  /** A member is called `cache_control`. */
  readonly cacheControl: boolean
  /** `url` is the value of a member. */
  readonly url: boolean
  /** `file_id` is a value, or what a member is called. */
  readonly fileId: boolean
  /** A member further in than the top level is called `model`, and not within an `input` or `input_schema`. */
  readonly nestedModel: boolean
  /** The same of a member called `data`. */
  readonly data: boolean
}

/** A member of the top level by offsets: of its key's first quote, past its last one, of the value's first byte, past its last one. */
export interface Located {
  readonly start: number
  readonly keyEnd: number
  readonly valueStart: number
  readonly end: number
}

export type Refusal = 'invalid_json' | 'not_an_object' | 'too_many_members'

export interface Scanned {
  readonly members: readonly Located[]
  readonly marks: Marks
}

/** What scan.wasm exports. */
export interface ScanModule {
  readonly memory: WebAssembly.Memory
  readonly body: { readonly value: number }
  readonly members: { readonly value: number }
  scan(length: number): number
}

const REFUSALS: readonly Refusal[] = ['invalid_json', 'not_an_object', 'too_many_members']
const [HOUR, CACHE_CONTROL, URL, FILE_ID, NESTED_MODEL, DATA, MARK_BITS] = [1, 2, 4, 8, 16, 64, 8]
/** Zeros behind the body: whatever is open there ends there, and no byte of a former one is read. */
const PADDING = 32
const PAGE_BYTES = 65_536
/** Memory only grows: what a larger body took goes with the instance. Not at once, since new memory costs more than the scan. */
const [KEPT_BYTES, LARGE_FOR_MS] = [4 * 1024 * 1024, 1000]

let compiled: WebAssembly.Module | undefined

/** At the first body: a start has no need of it. */
function instantiate(): ScanModule {
  compiled ??= new WebAssembly.Module(readFileSync(wasm))
  return new WebAssembly.Instance(compiled).exports as unknown as ScanModule
}

/** Reads bytes that are UTF-8. One instance serves all; one in which anything went wrong serves no other body, and its error is thrown. */
export function createScanner(newModule: () => ScanModule = instantiate): (bytes: Uint8Array) => Scanned | Refusal {
  let kept: ScanModule | undefined
  let lettingGo: Timer | undefined
  const letGo = () => (kept = lettingGo = undefined)
  return (bytes) => {
    const module = kept ?? newModule()
    kept = undefined
    put(module, bytes)
    const result = module.scan(bytes.length)
    const scanned = result < 0 ? (REFUSALS[-1 - result] as Refusal) : { members: locatedIn(module, result >> MARK_BITS), marks: marksOf(result) }
    kept = module
    if (module.memory.buffer.byteLength > KEPT_BYTES) lettingGo ??= setTimeout(letGo, LARGE_FOR_MS).unref()
    return scanned
  }
}

function put({ memory, body }: ScanModule, bytes: Uint8Array): void {
  const start = body.value
  const end = start + bytes.length
  const lacking = end + PADDING - memory.buffer.byteLength
  if (lacking > 0) memory.grow(Math.ceil(lacking / PAGE_BYTES))
  const view = new Uint8Array(memory.buffer)
  view.set(bytes, start)
  view.fill(0, end, end + PADDING)
}

function locatedIn({ memory, members }: ScanModule, count: number): Located[] {
  const offsets = new Uint32Array(memory.buffer, members.value, count * 4)
  return Array.from({ length: count }, (_, at) => ({ start: offsets[at * 4]!, keyEnd: offsets[at * 4 + 1]!, valueStart: offsets[at * 4 + 2]!, end: offsets[at * 4 + 3]! }))
}

function marksOf(bits: number): Marks {
  const has = (mark: number) => (bits & mark) !== 0
  return { hour: has(HOUR), cacheControl: has(CACHE_CONTROL), url: has(URL), fileId: has(FILE_ID), nestedModel: has(NESTED_MODEL), data: has(DATA) }
}
