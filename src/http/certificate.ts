// The TLS certificate and key on disk. Renewal tools replace files in different ways (rename, symlink swap, two writes),
// so the files are looked at every few seconds instead of being watched.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { BootError } from '../errors.ts'
import type { Observe } from '../observe/events.ts'

export interface CertificatePaths {
  cert: string
  key: string
}

export interface Certificate {
  cert: string
  key: string
}

const POLL_MS = 2000

/** Reads the pair and calls `changed` whenever a new, matching pair is found. Throws BootError when the first one is unusable. */
export async function watchCertificate(paths: CertificatePaths, observe: Observe, changed: (next: Certificate) => void) {
  let current = await load(paths).catch((error: Error) => {
    throw new BootError(`listen.tls: ${error.message}`)
  })
  const timer = setInterval(async () => {
    try {
      const next = await load(paths)
      if (next.cert === current.cert && next.key === current.key) return
      current = next
      changed(next)
    } catch (error) {
      observe({ op: 'warn', message: `listen.tls: keeping the certificate in use: ${(error as Error).message}`, repeat: 'tls.reload' })
    }
  }, POLL_MS)
  return { current: () => current, stop: () => clearInterval(timer) }
}

/** Both files, checked to belong together: during a renewal one may be newer than the other. */
async function load(paths: CertificatePaths): Promise<Certificate> {
  const [cert, key] = await Promise.all([read(paths.cert), read(paths.key)])
  let matches: boolean
  try {
    matches = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  } catch {
    throw new Error(`${paths.cert} or ${paths.key} is not PEM`)
  }
  if (!matches) throw new Error(`${paths.key} is not the key of ${paths.cert}`)
  return { cert, key }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new Error(`cannot read ${path} (${(error as { code?: string }).code ?? 'unknown'})`)
  }
}
