// The listener. One Bun.serve; with TLS the certificate is read again when its files change.
import type { Server } from 'bun'
import { watchCertificate, type Certificate, type CertificatePaths } from './certificate.ts'
import { BootError } from '../errors.ts'
import type { Observe } from '../observe/events.ts'
import type { IdleLimit } from './request-context.ts'

export interface ServerOptions {
  host: string
  port: number
  tls: CertificatePaths | undefined
  /** Other listeners of the same user that say so too may have the same port: SO_REUSEPORT. */
  reusePort?: boolean
  handle: (request: Request, peer: string, idleLimit: IdleLimit) => Promise<Response>
  observe: Observe
  /** Seconds after which a connection is closed on which nothing moves, or a body comes in too slowly to be meant; 60 unless given. */
  idleSeconds?: number | undefined
}

export interface Listener {
  readonly port: number
  /** Stops accepting and waits for what is in flight. */
  close(): Promise<void>
  /** Cuts every connection. */
  abort(): void
}

const IDLE_SECONDS = 60

/** Listens. Throws BootError when the address is taken: two processes never share a port by accident, only where both say so. */
export async function listen(options: ServerOptions): Promise<Listener> {
  const { tls, observe } = options
  const certificate = tls && (await watchCertificate(tls, observe, replace))
  let server = serve(options, options.port, certificate?.current())
  const port = server.port as number
  const closing: Promise<void>[] = []

  /** Bun keeps the certificate a listener began with, so a new one needs a new listener; running answers finish on the old one. */
  function replace(next: Certificate): void {
    const former = server
    const leave = () => closing.push(former.stop(false))
    // Where the port can be shared there is no moment with nobody at it.
    if (options.reusePort !== true) leave()
    server = serve(options, port, next)
    if (options.reusePort === true) leave()
    observe({ op: 'info', message: 'listen.tls: the certificate files changed; new connections get the new certificate' })
  }

  return {
    port,
    async close() {
      certificate?.stop()
      await Promise.all([server.stop(false), ...closing])
    },
    abort() {
      certificate?.stop()
      void server.stop(true)
    },
  }
}

function serve({ host, handle, reusePort = false, idleSeconds = IDLE_SECONDS }: ServerOptions, port: number, tls: Certificate | undefined): Server<undefined> {
  try {
    return Bun.serve({
      hostname: host,
      port,
      reusePort,
      idleTimeout: idleSeconds,
      // Each route has its own cap (http/body.ts) and its own rendering of 413; Bun's would be plain text.
      maxRequestBodySize: Number.MAX_SAFE_INTEGER,
      development: false,
      ...(tls === undefined ? {} : { tls }),
      fetch: (request, server) => {
        const limit = (seconds: number) => () => server.timeout(request, seconds)
        return handle(request, server.requestIP(request)?.address ?? '', { lift: limit(0), restore: limit(idleSeconds) })
      },
      error: () => new Response(null, { status: 500 }),
    })
  } catch (error) {
    const code = (error as { code?: string }).code ?? 'unknown'
    const why = code === 'EADDRINUSE' ? inUse(reusePort) : code === 'EACCES' ? 'permission denied' : `cannot listen (${code})`
    throw new BootError(`listen: ${host}:${port}: ${why}`)
  }
}

function inUse(reusePort: boolean): string {
  return `the port is already in use${reusePort ? ', by a program that does not share it: every instance needs listen.reuse_port, and the same user' : ''}`
}
