// One AWS session per person, so that the bill and CloudTrail name people.
import { createHash } from 'node:crypto'
import type { Principal } from '../../principal.ts'
import type { AwsCredentials } from './credentials.ts'
import type { AwsKeys } from './keys.ts'
import type { Credential } from '../credential.ts'

const MAX_SESSIONS = 10_000

/** `open` begins a session of that name. At most `maxSessions` are kept; the person who has been away longest makes room. */
export function createSessions(open: (sessionName: string) => Credential<AwsKeys>, maxSessions = MAX_SESSIONS): Pick<AwsCredentials, 'keysFor' | 'refused'> {
  /** Longest away first. */
  const sessions = new Map<string, { readonly name: string; readonly credential: Credential<AwsKeys> }>()
  const takenNames = new Set<string>()

  function sessionOf(principal: Principal): Credential<AwsKeys> {
    const person = personOf(principal)
    const known = sessions.get(person)
    if (known !== undefined) {
      sessions.delete(person)
      sessions.set(person, known)
      return known.credential
    }
    if (sessions.size >= maxSessions) forgetFirst()
    const name = nameSession(principal, takenNames)
    const credential = open(name)
    sessions.set(person, { name, credential })
    takenNames.add(name)
    return credential
  }

  function forgetFirst(): void {
    const [person, { name }] = sessions.entries().next().value as [string, { name: string }]
    sessions.delete(person)
    takenNames.delete(name)
  }

  return {
    keysFor: (principal) => sessionOf(principal).get(),
    refused(principal, keys) {
      sessions.get(personOf(principal))?.credential.refused(keys)
      return true
    },
  }
}

function personOf({ issuer, sub }: Principal): string {
  return JSON.stringify([issuer, sub])
}

/**
 * What the bill and CloudTrail call the person. The e-mail as it is, when STS takes it and nobody else has it; otherwise
 * as much of it as fits, or of `sub`, with a digest of who it is. In one process no two people share a name; on another replica
 * somebody else may have the same e-mail, and then AWS's record names both alike.
 */
function nameSession(principal: Principal, taken: ReadonlySet<string>): string {
  const { email, sub } = principal
  if (email !== undefined && /^[\w+=,.@-]{2,64}$/.test(email) && !taken.has(email)) return email
  const digest = createHash('sha256').update(personOf(principal)).digest('hex').slice(0, 12)
  return `${(email ?? sub).replace(/[^\w+=,.@-]/g, '-').slice(0, 51)}-${digest}`
}
