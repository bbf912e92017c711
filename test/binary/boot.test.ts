import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { migrations } from '../../src/db/migrations.ts'
import { freePort } from '../support/free-port.ts'
import { createInstallation, listening, type Installation } from './installation.ts'
import type { Program } from './program.ts'

let installation: Installation
beforeAll(async () => {
  installation = await createInstallation()
})
afterEach(() => installation.configure())
afterAll(() => installation.remove())

/** What an operator sees of a boot that fails: the lines that are no log lines. */
async function failure(program: Program): Promise<{ exitCode: number; lines: string[] }> {
  const exitCode = await program.exited
  const lines = program.stderr().split('\n').filter((line) => line !== '' && !line.startsWith('{') && !line.startsWith('[gateway]'))
  return { exitCode, lines }
}

describe('a boot that cannot succeed ends with one sentence and exit code 1', () => {
  test('when the file has mistakes: every one of them, each with its place', async () => {
    await Bun.write(`${installation.directory}/broken.yaml`, 'listen: { hosst: 127.0.0.1 }\nsession:\n  jwt_secret: short\nstore: { postgres_url: "${NOWHERE}" }\n')
    const { exitCode, lines } = await failure(installation.serve({}, 'broken.yaml'))
    expect(exitCode).toBe(1)
    expect(lines.join('\n')).toMatch(/broken\.yaml:1:11 {2}listen\.hosst: .*host/)
    expect(lines.join('\n')).toMatch(/broken\.yaml:3:15 {2}session\.jwt_secret: .*32/)
    expect(lines.join('\n')).toMatch(/broken\.yaml:4:\d+ {2}store\.postgres_url: .*NOWHERE/)
    expect(lines.join('\n')).not.toContain('short')
    for (const line of lines) expect(line).toMatch(/^\/?\S*broken\.yaml:\d+:\d+ {2}[a-z_]+/)
  })

  test('when there is no such file', async () => {
    const { exitCode, lines } = await failure(installation.serve({}, 'absent.yaml'))
    expect(exitCode).toBe(1)
    expect(lines).toEqual([expect.stringMatching(/^gatehouse: .*absent\.yaml: cannot read the configuration \(ENOENT\)$/)])
  })

  test('when a secret file is missing', async () => {
    await installation.configure({ session: { jwt_secret: '${file:/nowhere/jwt_secret}' } })
    const { exitCode, lines } = await failure(installation.serve())
    expect(exitCode).toBe(1)
    expect(lines).toEqual([expect.stringContaining('/nowhere/jwt_secret')])
  })

  test('when PostgreSQL refuses the password, without repeating it', async () => {
    await installation.configure({ store: { password: 'wrong-password' } })
    const { exitCode, lines } = await failure(installation.serve())
    expect(exitCode).toBe(1)
    expect(lines).toEqual([expect.stringMatching(/^gatehouse: store: 127\.0\.0\.1:\d+: PostgreSQL refuses the user name or password$/)])
  })

  test('when nothing answers where PostgreSQL should be', async () => {
    const port = await freePort()
    await installation.configure({ store: { postgres_url: `postgres://me:a-password@127.0.0.1:${port}/gatehouse` } })
    const { exitCode, lines } = await failure(installation.serve())
    expect(exitCode).toBe(1)
    expect(lines).toEqual([expect.stringMatching(new RegExp(`^gatehouse: store: 127\\.0\\.0\\.1:${port}: PostgreSQL is not reachable`))])
  })

  test('when what answers there never says a word', async () => {
    const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
    await installation.configure({ store: { postgres_url: `postgres://me:a-password@127.0.0.1:${silent.port}/gatehouse` } })
    const { exitCode, lines } = await failure(installation.serve())
    silent.stop(true)
    expect(exitCode).toBe(1)
    expect(lines).toEqual([expect.stringMatching(new RegExp(`^gatehouse: store: 127\\.0\\.0\\.1:${silent.port}: PostgreSQL is not reachable`))])
  })

  test('when the identity provider is not reachable', async () => {
    const issuer = `http://127.0.0.1:${await freePort()}`
    await installation.configure({ oidc: { issuer } })
    const { exitCode, lines } = await failure(installation.serve())
    expect(exitCode).toBe(1)
    expect(lines).toEqual([expect.stringContaining(`oidc.issuer ${issuer}: `)])
  })

  test('when what it would have to reach is on loopback and nobody allowed that', async () => {
    const { exitCode, lines } = await failure(installation.serve({ env: { GATEHOUSE_ALLOW_LOOPBACK: '' } }))
    expect(exitCode).toBe(1)
    expect(lines).toEqual(['gatehouse: upstreams: the base_url of anthropic names a loopback address; set GATEHOUSE_ALLOW_LOOPBACK=1 to allow it'])
  })

  test('when the port is in use, instead of sharing it', async () => {
    const other = Bun.serve({ hostname: '127.0.0.1', port: installation.port, fetch: () => new Response('other') })
    const { exitCode, lines } = await failure(installation.serve())
    await other.stop(true)
    expect(exitCode).toBe(1)
    expect(lines).toEqual([`gatehouse: listen: 127.0.0.1:${installation.port}: the port is already in use`])
  })

  test('when the key of the certificate is missing', async () => {
    const fixtures = `${import.meta.dir}/../fixtures/tls`
    await installation.configure({ listen: { tls: { cert: `${fixtures}/upstream.pem`, key: '/nowhere/tls.key' } } })
    const { exitCode, lines } = await failure(installation.serve())
    expect(exitCode).toBe(1)
    expect(lines).toEqual([expect.stringMatching(/^gatehouse: .*listen\.tls.*\/nowhere\/tls\.key \(ENOENT\)$/)])
  })
})

describe('a boot', () => {
  test('serves nothing before the identity provider has answered', async () => {
    const asked = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<void>()
    const slow: Bun.Server<undefined> = Bun.serve({
      port: 0,
      hostname: '127.0.0.1',
      async fetch(request): Promise<Response> {
        asked.resolve()
        await answer.promise
        const { pathname } = new URL(request.url)
        const document = await (await fetch(installation.idp.issuer + pathname)).text()
        return new Response(document.replaceAll(installation.idp.issuer, slow.url.origin), { headers: { 'content-type': 'application/json' } })
      },
    })
    await installation.configure({ oidc: { issuer: slow.url.origin } })
    const program = installation.serve()
    await asked.promise
    expect(await accepts(installation.port)).toBe(false)
    answer.resolve()
    await listening(program)
    expect(await (await fetch(`${installation.url}/readyz`)).text()).toBe('ready')
    await program.end()
    await slow.stop(true)
  })

  test('migrates an empty database, once for replicas that start together and not again later', async () => {
    const { sql } = installation.database
    await sql`drop schema public cascade`
    await sql`create schema public`
    const otherPort = await freePort()
    await installation.configure({ listen: { port: otherPort } }, 'replica.yaml')
    const together = [installation.serve(), installation.serve({}, 'replica.yaml')]
    await Promise.all(together.map(listening))
    const applied = () => sql`select name, applied_at from schema_migration order by name`
    const first = await applied()
    expect(first.map(({ name }) => name)).toEqual(migrations.map(({ name }) => name))
    for (const port of [installation.port, otherPort]) expect((await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(200)
    await Promise.all(together.map((program) => program.end()))

    const later = installation.serve()
    await listening(later)
    expect(await applied()).toEqual(first)
    await later.end()
  })

  test('says what it loaded without a secret in any line', async () => {
    const program = installation.serve()
    await listening(program)
    await program.end()
    expect(program.stderr()).toMatch(/^\{"ts":"[^"]+","evt":"config\.load","file":"[^"]+","sha256":"[0-9a-f]{64}"\}$/m)
    for (const secret of [installation.idp.clientSecret, 'long-enough', 'sk-upstream', new URL(installation.database.url).password]) expect(program.stderr()).not.toContain(secret)
    expect(program.stdout()).toBe('')
  })
})

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    }).once('error', () => resolve(false))
  })
}
