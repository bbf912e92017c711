// One prompt of the real client for each provider and model; ends with `N passed, N failed`.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInstallation, listening, type Installation } from '../test/binary/installation.ts'
import { ONE_EACH, startCloudWorld, type Access, type CloudWorld } from '../test/support/cloud-world.ts'
import { stopSharedServer } from '../test/support/database.ts'

const [client = '', ...given] = process.argv.slice(2)
const MODELS = given.length > 0 ? given : ['claude-opus-5-5', 'claude-sonnet-5', 'claude-haiku-4-5-20251001']

type Json = Record<string, any>
const count = { passed: 0, failed: 0 }

const clouds = await startCloudWorld()
const installation = await createInstallation()
for (const access of ONE_EACH) await tryProvider(access, clouds, installation)
await installation.remove()
await clouds.stop()
await stopSharedServer()
console.log(`${count.passed} passed, ${count.failed} failed`)
process.exit(count.failed === 0 ? 0 : 1)

async function tryProvider(access: Access, { place }: CloudWorld, { configure, serve, signIn, url }: Installation): Promise<void> {
  const { cloud, upstream } = await place(access)
  await configure({ upstreams: [upstream] })
  const program = serve({ env: environmentOfClouds() })
  await listening(program)
  const token = await signIn()
  for (const model of MODELS) {
    cloud.served.length = cloud.messages.length = 0
    const before = program.stderr().length
    const printed = await prompt(url, token, model)
    await program.printed(new RegExp(`"evt":"inference".*"outcome":"completed"`))
    const audited = program.stderr().slice(before).split('\n').filter((line) => line.includes('"evt":"inference"') && line.includes('"outcome":"completed"')).map((line) => JSON.parse(line) as Json)
    report(`${access.provider} ${model}`, faults(cloud.served.map(tokensServed), audited.map(tokensAudited), printed))
  }
  program.signal('SIGTERM')
  await program.exited
}

/** What the credential sources of the fake clouds need to be found by. */
function environmentOfClouds(): Record<string, string> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(AWS_|GCE_|CLOUDSDK_|AZURE_|IDENTITY_)/.test(name))) as Record<string, string>
}

async function prompt(url: string, token: string, model: string): Promise<string> {
  const home = mkdtempSync(join(tmpdir(), 'gatehouse-client-'))
  const child = Bun.spawn([client, '-p', 'Say pong.', '--model', model, '--max-turns', '1', '--output-format', 'stream-json', '--verbose'], {
    cwd: home,
    env: { PATH: process.env.PATH ?? '', HOME: home, ANTHROPIC_BASE_URL: url, ANTHROPIC_AUTH_TOKEN: token, CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'inherit',
    timeout: 60_000,
  })
  const text = await new Response(child.stdout).text()
  await child.exited
  rmSync(home, { recursive: true, force: true })
  return text
}

function tokensServed({ input, output, cacheRead, cacheWrite5m, cacheWrite1h }: Json): string {
  return [input, output, cacheRead, cacheWrite5m, cacheWrite1h].join(' ')
}

function tokensAudited(line: Json): string {
  return [line.input_tokens, line.output_tokens, line.cache_read_tokens, line.cache_write_5m_tokens, line.cache_write_1h_tokens ?? 0].join(' ')
}

function faults(served: string[], audited: string[], printed: string): string[] {
  return [
    ...(served.length === 0 ? ['the cloud served nothing'] : []),
    ...(served.join() === audited.join() ? [] : [`served ${served.join()}, audited ${audited.join()}`]),
    ...(printed.includes('pong ') ? [] : [`the client printed no answer: ${printed.slice(-300)}`]),
  ]
}

function report(name: string, found: string[]): void {
  count[found.length === 0 ? 'passed' : 'failed']++
  console.log(found.length === 0 ? `ok ${name}` : `not ok ${name}: ${found.join('; ')}`)
}
