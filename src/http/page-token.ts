// Where the next page of an answer begins, sealed: a caller cannot make one, nor take one to another question.
import { createHash } from 'node:crypto'
import { GatewayError } from '../errors.ts'

export interface Sealer {
  seal(plaintext: string, purpose: string): string
  open(sealed: string, purpose: string): string | undefined
}

export interface PageTokens {
  /** `question`: everything that a page must agree on with the page before it. */
  make(question: unknown, position: unknown): string
  /** The position. Throws `invalid_request` for a token that was altered, or made for another question. */
  read(question: unknown, token: string): unknown
}

const PREFIX = 'page_'
const PURPOSE = 'report page'

/** `refusal` is told of a token that is not one. */
export function createPageTokens(sealer: Sealer, refusal: string): PageTokens {
  return {
    make: (question, position) => `${PREFIX}${sealer.seal(JSON.stringify([digest(question), position]), PURPOSE)}`,
    read(question, token) {
      const opened = token.startsWith(PREFIX) ? sealer.open(token.slice(PREFIX.length), PURPOSE) : undefined
      const [of, position] = opened === undefined ? [] : (JSON.parse(opened) as [string, unknown])
      if (of !== digest(question)) throw new GatewayError('invalid_request', `page: ${refusal}`)
      return position
    },
  }
}

function digest(question: unknown): string {
  return createHash('sha256').update(JSON.stringify(question)).digest('base64url').slice(0, 22)
}
