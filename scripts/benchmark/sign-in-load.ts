// Complete sign-ins by the least that can make them: bytes on two kept connections, where sign-in.ts has a browser and requests
// of the runtime. On two cores the clients would otherwise be what is measured.
import type { Socket } from 'bun'
import { createFraming } from './http-framing.ts'

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

interface Answer {
  readonly head: string
  readonly body: string
}

/** One request at a time. */
interface Wire {
  ask(request: string): Promise<Answer>
  close(): void
}

export interface SignInClient {
  /** A bearer token of `person`, who is known to the provider of the demonstration: five requests to the gateway, one to the provider. */
  signIn(person: string): Promise<string>
  close(): void
}

export async function createSignInClient(gateway: string, issuer: string): Promise<SignInClient> {
  const [ours, theirs] = [await connect(gateway), await connect(issuer)]
  const [host, provider] = [new URL(gateway).host, new URL(issuer).host]

  async function form(path: string, fields: Record<string, string>, headers = ''): Promise<Answer> {
    const body = new URLSearchParams(fields).toString()
    return ours.ask(`POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: ${body.length}\r\n${headers}\r\n${body}`)
  }

  return {
    async signIn(person) {
      const grant = JSON.parse(expected(await form('/oauth/device_authorization', { surface: 'claude_code' }), 200).body) as { device_code: string; user_code: string }
      expected(await ours.ask(`GET /device?user_code=${grant.user_code} HTTP/1.1\r\nhost: ${host}\r\n\r\n`), 200)
      const away = expected(await form('/device', { user_code: grant.user_code }, `origin: ${gateway}\r\nsec-fetch-site: same-origin\r\n`), 303)
      const back = expected(await theirs.ask(`GET ${pathOf(away)}&person=${person} HTTP/1.1\r\nhost: ${provider}\r\n\r\n`), 303)
      expected(await ours.ask(`GET ${pathOf(back)} HTTP/1.1\r\nhost: ${host}\r\ncookie: ${cookieOf(away)}\r\n\r\n`), 200)
      const { access_token: token } = JSON.parse(expected(await form('/oauth/token', { grant_type: DEVICE_CODE, device_code: grant.device_code }), 200).body) as { access_token: string }
      return token
    },
    close() {
      ours.close()
      theirs.close()
    },
  }
}

async function connect(origin: string): Promise<Wire> {
  const { hostname, port } = new URL(origin)
  let waiting: { framing: ReturnType<typeof createFraming>; chunks: Buffer[]; answered: (answer: Answer) => void; failed: (error: Error) => void } | undefined
  const broken = () => waiting?.failed(new Error(`${origin} closed the connection of a sign-in`))
  const socket: Socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data(_, bytes) {
        if (waiting === undefined) return
        waiting.chunks.push(Buffer.from(bytes))
        if (!waiting.framing.take(bytes)) return
        const { framing, chunks, answered } = waiting
        waiting = undefined
        const head = framing.head()
        answered({ head, body: Buffer.concat(chunks).toString('utf8').slice(head.length + 4) })
      },
      close: broken,
      error: broken,
    },
  })
  return {
    ask(request) {
      const { promise, resolve, reject } = Promise.withResolvers<Answer>()
      waiting = { framing: createFraming(), chunks: [], answered: resolve, failed: reject }
      if (socket.write(request) !== Buffer.byteLength(request)) reject(new Error('a request of a sign-in did not fit into the socket'))
      return promise
    },
    close: () => socket.end(),
  }
}

function expected(answer: Answer, status: number): Answer {
  if (!answer.head.startsWith(`HTTP/1.1 ${status}`)) throw new Error(`a step of the sign-in was answered with ${answer.head.split('\r\n')[0]}: ${answer.body}`)
  return answer
}

function pathOf({ head }: Answer): string {
  const { pathname, search } = new URL(/\r\nlocation: *(\S+)/i.exec(head)?.[1] ?? '')
  return pathname + search
}

function cookieOf({ head }: Answer): string {
  return /\r\nset-cookie: *([^;\r]+)/i.exec(head)?.[1] ?? ''
}
