// Exports on disk, each in a file of its own: what has been accepted is there when the process is killed. A file is whole
// or not there; one that was damaged since is known by its checksum. It survives the process, not the power: fsync for
// every export would cost more than it is worth.
import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BootError } from '../errors.ts'
import type { Export } from './collector.ts'
import { SIGNALS, type Signal } from './signal.ts'

/** A file of the spool. */
export interface Spooled {
  readonly file: string
  readonly bytes: number
  /** A hash that stands for the person. */
  readonly whose: string
  readonly signal: Signal
  /** Milliseconds since the epoch. */
  readonly sinceMs: number
}

export interface Spool {
  readonly bytes: number
  readonly maxBytes: number
  /** Whether the person may have another of this length: nobody's client fills the disk for everybody. */
  hasShareFor(whose: string, bytes: number): boolean
  /** What earlier processes left, oldest first. */
  readonly found: readonly Spooled[]
  /** Undefined when it could not be written, or too much is being written at once. */
  write(item: Export): Promise<Spooled | undefined>
  /** Undefined for what is not whole. */
  read(entry: Spooled): Promise<Export | undefined>
  remove(entry: Spooled): void
}

const OWNER_ONLY = { directory: 0o700, file: 0o600 }
const SHARE_OF_PERSON = 1 / 4
/** Bodies in memory on their way to a disk that does not keep up. */
const MOST_WRITING_BYTES = 32 * 1024 * 1024
const NAME = /^(\d{13})-(\d{6})-([0-9a-f]{16})-(metrics|logs|traces)\.otlp$/
const NEWLINE = 0x0a

export function whoseHash(sub: string): string {
  return new Bun.CryptoHasher('sha256').update(sub).digest('hex').slice(0, 16)
}

/** Throws BootError where the directory cannot be used. */
export async function openSpool(directory: string, maxBytes: number, warn: (message: string) => void): Promise<Spool> {
  const found = await prepare(directory).catch((error: { code?: string }) => {
    throw new BootError(`telemetry.spool: ${directory} cannot be used (${error.code ?? 'unknown'})`)
  })
  const bytesOf = new Map<string, number>()
  const known = new Set<string>()
  let [bytes, writingBytes, sequence] = [0, 0, 0]

  function count(entry: Spooled): Spooled {
    known.add(entry.file)
    bytes += entry.bytes
    bytesOf.set(entry.whose, (bytesOf.get(entry.whose) ?? 0) + entry.bytes)
    return entry
  }

  function uncount(entry: Spooled): void {
    if (!known.delete(entry.file)) return
    bytes -= entry.bytes
    const left = (bytesOf.get(entry.whose) ?? 0) - entry.bytes
    if (left > 0) bytesOf.set(entry.whose, left)
    else bytesOf.delete(entry.whose)
  }

  found.forEach(count)
  return {
    get bytes() {
      return bytes
    },
    maxBytes,
    found,
    hasShareFor: (whose, more) => (bytesOf.get(whose) ?? 0) + more <= maxBytes * SHARE_OF_PERSON,
    async write(item) {
      const content = pack(item)
      if (writingBytes + content.length > MOST_WRITING_BYTES) return undefined
      const [whose, sinceMs] = [whoseHash(item.sub), Date.now()]
      sequence = (sequence + 1) % 1_000_000
      const file = `${sinceMs}-${String(sequence).padStart(6, '0')}-${whose}-${item.signal}.otlp`
      const entry = count({ file, bytes: content.length, whose, signal: item.signal, sinceMs })
      writingBytes += content.length
      try {
        await writeFile(join(directory, `${file}.part`), content, { mode: OWNER_ONLY.file, flag: 'wx' })
        await rename(join(directory, `${file}.part`), join(directory, file))
        return entry
      } catch (error) {
        uncount(entry)
        void rm(join(directory, `${file}.part`), { force: true }).catch(() => {})
        warn(`telemetry.spool: cannot write to ${directory} (${(error as { code?: string }).code ?? 'unknown'}); what comes now is held in memory alone`)
        return undefined
      } finally {
        writingBytes -= content.length
      }
    },
    async read(entry) {
      const item = await readFile(join(directory, entry.file)).then((content) => unpack(content, entry), () => undefined)
      if (item === undefined) warn(`telemetry.spool: ${join(directory, entry.file)} is not whole; it is left out`)
      return item
    },
    remove(entry) {
      uncount(entry)
      void rm(join(directory, entry.file), { force: true }).catch(() => {})
    },
  }
}

/** Makes the directory its owner's alone, and lists what is in it; what was being written when a process died is cleared away. */
async function prepare(directory: string): Promise<Spooled[]> {
  await mkdir(directory, { recursive: true, mode: OWNER_ONLY.directory })
  await chmod(directory, OWNER_ONLY.directory)
  const entries: Spooled[] = []
  for (const file of (await readdir(directory)).sort()) {
    const [, ms = '', , whose = '', signal = ''] = NAME.exec(file) ?? []
    if (file.endsWith('.otlp.part')) await rm(join(directory, file), { force: true })
    else if (whose !== '') entries.push({ file, bytes: (await stat(join(directory, file))).size, whose, signal: signal as Signal, sinceMs: Number(ms) })
  }
  return entries
}

interface Head {
  type: string
  coding?: string
  length: number
  crc: number
}

/** A line of JSON, and the body as it is. */
function pack({ contentType, contentEncoding, body }: Export): Buffer {
  const head: Head = { type: contentType, ...(contentEncoding !== undefined && { coding: contentEncoding }), length: body.length, crc: Bun.hash.crc32(body) }
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), body])
}

function unpack(content: Buffer, { whose, signal }: Spooled): Export | undefined {
  const end = content.indexOf(NEWLINE)
  const head = parse(content.toString('utf8', 0, Math.max(0, end)))
  const body = content.subarray(end + 1)
  if (head === undefined || typeof head.type !== 'string' || !SIGNALS.includes(signal)) return undefined
  if (body.length !== head.length || Bun.hash.crc32(body) !== head.crc) return undefined
  return { sub: whose, signal, contentType: head.type, contentEncoding: head.coding === 'gzip' ? head.coding : undefined, body }
}

function parse(text: string): Partial<Head> | undefined {
  try {
    const head: unknown = JSON.parse(text)
    return typeof head === 'object' && head !== null ? head : undefined
  } catch {
    return undefined
  }
}
