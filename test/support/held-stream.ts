// An answer of an upstream that stops in the middle until it is told to go on.
import { messageEvents, type Script } from './upstream.ts'

export const HELD_EVENTS = messageEvents('claude-haiku-4-5-20251001')

/** Stops after its first event until `finish()`. */
export function heldStream() {
  const finish = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  const script: Script = async (answer, request) => {
    void request.closed.then(closed.resolve)
    answer.head(200, { 'content-type': 'text/event-stream' })
    await answer.chunk(HELD_EVENTS[0] as string)
    await finish.promise
    for (const event of HELD_EVENTS.slice(1)) await answer.chunk(event)
    answer.end()
  }
  return { script, finish: finish.resolve, closed: closed.promise }
}
