// A collector of OpenTelemetry over HTTP: it keeps what arrives, as it arrives.
export interface ReceivedExport {
  readonly path: string
  readonly headers: Headers
  readonly body: Uint8Array
}

export interface TestCollector {
  readonly url: string
  readonly received: ReceivedExport[]
  /** Answers of the next requests, in order; afterwards 200. */
  enqueue(...answers: (() => Response | Promise<Response>)[]): void
  /** How exports are answered that none was enqueued for; undefined is 200. */
  answerAs(rule: (body: string) => Response | undefined): void
  /** Resolves when this many exports have arrived. */
  arrived(times: number): Promise<void>
  stop(): Promise<void>
}

export function startCollector(): TestCollector {
  const received: ReceivedExport[] = []
  const answers: (() => Response | Promise<Response>)[] = []
  let rule: (body: string) => Response | undefined = () => undefined
  const waiting = new Set<() => void>()
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const body = await request.bytes()
      received.push({ path: new URL(request.url).pathname, headers: request.headers, body })
      for (const check of waiting) check()
      return answers.shift()?.() ?? rule(Buffer.from(body).toString()) ?? new Response('{}')
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    received,
    answerAs: (as) => void (rule = as),
    enqueue: (...more) => void answers.push(...more),
    arrived: (times) =>
      new Promise((resolve) => {
        const check = () => {
          if (received.length < times) return
          waiting.delete(check)
          resolve()
        }
        waiting.add(check)
        check()
      }),
    stop: () => server.stop(true),
  }
}
