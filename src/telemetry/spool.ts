// Exports on disk, each in a file of its own: what has been accepted is there when the process is killed. A file is whole
// or not there; one that was damaged since is known by its checksum. It survives the process, not the power: fsync for
// every export would cost more than it is worth.
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BootError } from '../errors.ts'
import type { Export } from './collector.ts'
import { SIGNALS, type Signal } from './signal.ts'

/** A file of the spool; its name says all of this. */
export interface Spooled {
  readonly file: string
  /** Its length. */
  readonly bytes: number
  /** A hash that stands for the person. */
  readonly whose: string
  readonly signal: Signal
  /** Milliseconds since the epoch. */
  readonly sinceMs: number
}

export interface Spool {
  /** What its files take on the disk. */
  readonly bytes: number
  /** More is there than may be. */
  isFull(): boolean
  /** Whether the person may have another of this length: nobody's client fills the disk for everybody. */
  hasShareFor(whose: string, bytes: number): boolean
  /** What earlier processes left, oldest first; to whom asks first. */
  takeFound(): readonly Spooled[]
  /** Undefined when it could not be written, or too much is being written at once. */
  write(item: Export): Promise<Spooled | undefined>
  /** `damaged` is for good; `later` says nothing of the file, but that it cannot be read now. */
  read(entry: Spooled): Promise<Export | 'damaged' | 'later'>
  remove(entry: Spooled): void
  /** No part of the spool any more, but kept for whoever wants to know what became of it. */
  setAside(entry: Spooled): void
}

const OWNER_ONLY = { directory: 0o700, file: 0o600 }
const SHARE_OF_PERSON = 1 / 4
/** Bodies in memory on their way to a disk that does not keep up. */
const MOST_WRITING_BYTES = 32 * 1024 * 1024
/** However small they are: each costs an inode, and memory. */
const MOST_FILES = 65_536
const MOST_SET_ASIDE = 100
/** Of a disk, and what it costs to have a file at all. */
const [BLOCK_BYTES, INODE_BYTES] = [4096, 1024]
const NAME = /^(\d{13})-(\d{6})-([0-9a-f]{16})-(metrics|logs|traces)-(\d{1,10})\.otlp$/
/** Behind the name of a file that was damaged. */
const ASIDE = '.bad'
const NEWLINE = 0x0a

export function whoseHash(sub: string): string {
  return new Bun.CryptoHasher('sha256').update(sub).digest('hex').slice(0, 16)
}

/** Throws BootError where the directory cannot be used. */
export async function openSpool(directory: string, maxBytes: number, warn: (message: string) => void, mostFiles = MOST_FILES): Promise<Spool> {
  const left = await prepare(directory).catch((error: { code?: string }) => {
    throw new BootError(`telemetry.spool: ${directory} cannot be used (${error.code ?? 'unknown'})`)
  })
  const known = new Set<Spooled>()
  const shares = new Map<string, { bytes: number; files: number }>()
  let { found, setAside } = left
  let [bytes, writingBytes, sequence] = [0, 0, 0]

  function count(entry: Spooled): Spooled {
    known.add(entry)
    account(entry, 1)
    return entry
  }

  function uncount(entry: Spooled): void {
    if (known.delete(entry)) account(entry, -1)
  }

  function account({ whose, bytes: length }: Spooled, sign: 1 | -1): void {
    const cost = sign * costOf(length)
    const share = shares.get(whose) ?? { bytes: 0, files: 0 }
    bytes += cost
    share.bytes += cost
    share.files += sign
    if (share.files === 0) shares.delete(whose)
    else shares.set(whose, share)
  }

  found.forEach(count)
  return {
    get bytes() {
      return bytes
    },
    isFull: () => bytes > maxBytes || known.size > mostFiles,
    hasShareFor(whose, length) {
      const own = shares.get(whose) ?? { bytes: 0, files: 0 }
      return own.bytes + costOf(length) <= maxBytes * SHARE_OF_PERSON && own.files < mostFiles * SHARE_OF_PERSON
    },
    takeFound() {
      const taken = found
      found = []
      return taken
    },
    async write(item) {
      const content = pack(item)
      if (writingBytes + content.length > MOST_WRITING_BYTES) return undefined
      const [whose, sinceMs] = [whoseHash(item.sub), Date.now()]
      sequence = (sequence + 1) % 1_000_000
      const file = `${sinceMs}-${String(sequence).padStart(6, '0')}-${whose}-${item.signal}-${content.length}.otlp`
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
      const path = join(directory, entry.file)
      try {
        const item = unpack(await readFile(path), entry)
        if (item !== undefined) return item
      } catch (error) {
        const { code = 'unknown' } = error as { code?: string }
        if (code !== 'ENOENT') {
          warn(`telemetry.spool: ${path} cannot be read now (${code}); it is tried again`)
          return 'later'
        }
      }
      warn(`telemetry.spool: ${path} is not whole; it is left out`)
      return 'damaged'
    },
    remove(entry) {
      uncount(entry)
      void rm(join(directory, entry.file), { force: true }).catch(() => {})
    },
    setAside(entry) {
      uncount(entry)
      const path = join(directory, entry.file)
      const done = setAside++ < MOST_SET_ASIDE ? rename(path, path + ASIDE) : rm(path, { force: true })
      void done.catch(() => {})
    },
  }
}

function costOf(length: number): number {
  return Math.ceil(length / BLOCK_BYTES) * BLOCK_BYTES + INODE_BYTES
}

/** Makes the directory its owner's alone, and lists what is in it; what was being written when a process died is cleared away. */
async function prepare(directory: string): Promise<{ found: Spooled[]; setAside: number }> {
  await mkdir(directory, { recursive: true, mode: OWNER_ONLY.directory })
  await chmod(directory, OWNER_ONLY.directory)
  const files = (await readdir(directory)).sort()
  const aside = files.filter((file) => file.endsWith(`.otlp${ASIDE}`))
  const outdated = [...files.filter((file) => file.endsWith('.otlp.part')), ...aside.slice(0, -MOST_SET_ASIDE)]
  for (const file of outdated) await rm(join(directory, file), { force: true })
  return { found: files.flatMap((file) => spooledOf(file) ?? []), setAside: Math.min(aside.length, MOST_SET_ASIDE) }
}

function spooledOf(file: string): Spooled | undefined {
  const [, ms, , whose = '', signal, length] = NAME.exec(file) ?? []
  return whose === '' ? undefined : { file, bytes: Number(length), whose, signal: signal as Signal, sinceMs: Number(ms) }
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
