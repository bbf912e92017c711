// The program as an operator runs it, in a process of its own, on the neighbours of a world.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { ADMIN } from './admin.ts'
import type { World } from './gateway.ts'

export interface ServingProcess {
  readonly url: string
  readonly pid: number
  stderr(): string
  signal(name: 'SIGUSR1' | 'SIGUSR2' | 'SIGTERM'): void
  readonly exited: Promise<number>
}

/** Resolves once it listens. */
export async function startServing({ database, idp, upstream }: World): Promise<ServingProcess> {
  const directory = await mkdtemp(join(tmpdir(), 'gatehouse-serving-'))
  const file = join(directory, 'gateway.yaml')
  const config = {
    listen: { host: '127.0.0.1', port: 0, public_url: 'http://127.0.0.1:1', drain_seconds: 0 },
    oidc: { issuer: idp.issuer, client_id: idp.clientId, client_secret: idp.clientSecret, allowed_email_domains: ['example.com'] },
    session: { jwt_secret: 'a-test-secret-of-more-than-thirty-two-bytes' },
    store: { postgres_url: database.url },
    upstreams: [{ provider: 'anthropic', base_url: upstream.url, auth: { api_key: 'sk-upstream-canary' } }],
    audit: { store: true },
    admin: ADMIN,
  }
  await Bun.write(file, JSON.stringify(config))
  const child = Bun.spawn([process.execPath, resolve(import.meta.dir, '../../src/main.ts'), 'serve', '--config', file], {
    env: { PATH: process.env.PATH ?? '', HOME: directory, GATEHOUSE_ALLOW_LOOPBACK: '1' },
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  })
  const listens = Promise.withResolvers<string>()
  let text = ''
  const reading = (async () => {
    const decoder = new TextDecoder()
    for await (const chunk of child.stderr) {
      text += decoder.decode(chunk, { stream: true })
      const port = /listens on 127\.0\.0\.1:(\d+)/.exec(text)?.[1]
      if (port !== undefined) listens.resolve(`http://127.0.0.1:${port}`)
    }
    listens.reject(new Error(`it ended without listening:\n${text}`))
  })()
  // Nobody may wait for it by then.
  listens.promise.catch(() => {})
  const exited = child.exited.then(async (code) => {
    await reading
    await rm(directory, { recursive: true, force: true })
    return code
  })
  return { url: await listens.promise, pid: child.pid, stderr: () => text, signal: (name) => child.kill(name), exited }
}
