// `gatehouse demo`: the gateway of `serve`, between neighbours that are made up and listen on 127.0.0.1 only. Nothing but
// the demo command imports this folder; a test holds that.
import { randomBytes } from 'node:crypto'
import { version } from '../../package.json'
import { parseConfig } from '../config/load.ts'
import { startEmbeddedPostgres } from '../db/embedded.ts'
import { BootError } from '../errors.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import type { Observe } from '../observe/events.ts'
import type { LogLevel } from '../observe/log-level.ts'
import { choosePort } from './choose-port.ts'
import gatewayYaml from './gateway.yaml' with { type: 'text' }
import { startIdentityProvider } from './identity-provider.ts'
import { instructions } from './instructions.ts'
import { startUpstream } from './upstream.ts'

export interface DemoOptions {
  /** The gateway's; 0 for any. Without one 8080, or any when that is taken. */
  port?: number | undefined
  /** Where PostgreSQL keeps its data; in memory without one. */
  directory?: string | undefined
  observe: Observe
  logLevel?: LogLevel
  print: (text: string) => void
  color?: boolean
  /** How long the scripted upstream waits before each word. */
  wordDelayMs?: number
}

const DEFAULT_PORT = 8080
const DEFAULT_WORD_DELAY_MS = 30

/** Starts everything and prints what to do with it. Throws BootError, and then nothing is left running. */
export async function runDemo({ port, directory, observe, logLevel, print, color = false, wordDelayMs = DEFAULT_WORD_DELAY_MS }: DemoOptions): Promise<Gateway> {
  const stops: (() => unknown)[] = []
  const stopNeighbours = async () => {
    for (const stop of stops.splice(0).reverse()) await stop()
  }
  print('gatehouse demo is starting; with a fresh database that takes some three seconds\n')
  try {
    await portFor(port)
    const postgres = await startEmbeddedPostgres({ directory })
    stops.push(postgres.stop)
    // Asked again: a database takes seconds to make, and somebody else may be there by now.
    const gatewayPort = await portFor(port)
    const publicUrl = `http://127.0.0.1:${gatewayPort}`
    const [clientSecret, apiKey, jwtSecret] = [secret(), secret(), secret()]
    const upstream = startUpstream({ apiKey, wordDelayMs })
    stops.push(upstream.stop)
    const provider = await startIdentityProvider({ clientId: 'gatehouse-demo', clientSecret, redirectUri: `${publicUrl}/oauth/callback` })
    stops.push(provider.stop)
    const { config } = parseConfig(gatewayYaml, 'gateway.yaml of the demonstration', {
      PORT: String(gatewayPort),
      ISSUER: provider.issuer,
      CLIENT_SECRET: clientSecret,
      JWT_SECRET: jwtSecret,
      DATABASE_URL: postgres.url,
      UPSTREAM_URL: upstream.url,
      UPSTREAM_KEY: apiKey,
    })
    const gateway = await createGateway({ config, observe, allowLoopback: true, ...(logLevel && { logLevel }) })
    print(instructions({ version, gateway: publicUrl, issuer: provider.issuer, upstream: upstream.url, directory, color }))
    return withNeighbours(gateway, stopNeighbours)
  } catch (error) {
    await stopNeighbours()
    throw error
  }
}

/** Throws BootError when a port is asked for that somebody else has. */
async function portFor(wanted: number | undefined): Promise<number> {
  const port = await choosePort([wanted ?? DEFAULT_PORT])
  if (wanted && port !== wanted) throw new BootError(`--port ${wanted}: the port is already in use`)
  return port
}

/** The gateway ends first: it still needs the others to finish what is in flight. */
function withNeighbours(gateway: Gateway, stopNeighbours: () => Promise<void>): Gateway {
  return {
    ...gateway,
    async stop() {
      await gateway.stop()
      await stopNeighbours()
    },
    abort() {
      gateway.abort()
      void stopNeighbours()
    },
  }
}

/** Lives as long as the process. */
function secret(): string {
  return randomBytes(32).toString('base64url')
}
