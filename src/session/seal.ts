// Authenticated encryption for what must be stored but never read from a dump: the IdP's refresh token, PKCE verifiers.
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import type { Secret } from '../std/secret.ts'

export interface Sealer {
  /** `purpose` separates the keys, so that a value sealed for one use cannot be opened for another. */
  seal(plaintext: string, purpose: string): string
  /** Undefined when it was altered, sealed for another purpose, or sealed with a secret that is gone. */
  open(sealed: string, purpose: string): string | undefined
}

const VERSION = 's1'

/** The first secret seals, all of them open: that is how a secret is rotated. */
export function createSealer(secrets: readonly Secret[]): Sealer {
  const derived = new Map<string, Buffer>()
  const keyFor = (secret: Secret, purpose: string): { id: string; key: Buffer } => {
    const id = createHash('sha256').update('gatehouse seal').update(secret.reveal()).digest('base64url').slice(0, 8)
    const name = `${id} ${purpose}`
    const key = derived.get(name) ?? Buffer.from(hkdfSync('sha256', secret.reveal(), 'gatehouse', purpose, 32))
    derived.set(name, key)
    return { id, key }
  }
  return {
    seal(plaintext, purpose) {
      const { id, key } = keyFor(secrets[0] as Secret, purpose)
      const nonce = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, nonce)
      const body = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()])
      return [VERSION, id, Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64url')].join('.')
    },
    open(sealed, purpose) {
      const [version, id, text = ''] = sealed.split('.')
      const bytes = Buffer.from(text, 'base64url')
      // One spelling: the decoder passes over what it does not know.
      if (version !== VERSION || bytes.length < 28 || bytes.toString('base64url') !== text) return undefined
      const match = secrets.map((secret) => keyFor(secret, purpose)).find((candidate) => candidate.id === id)
      return match && decrypt(match.key, bytes)
    },
  }
}

function decrypt(key: Buffer, bytes: Buffer): string | undefined {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12))
    decipher.setAuthTag(bytes.subarray(-16))
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString('utf8')
  } catch {
    return undefined
  }
}
