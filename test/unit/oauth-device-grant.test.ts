import { describe, expect, test } from 'bun:test'
import { judgePoll, type GrantStatus, type PollVerdict } from '../../src/oauth/device-grant.ts'
import { judgePresented } from '../../src/oauth/refresh.ts'
import type { PresentedRefreshToken } from '../../src/session/store.ts'

// RFC 8628 §3.5. [status, expired, polled too soon, verdict]: every state there is.
const POLLS: [GrantStatus, boolean, boolean, PollVerdict][] = [
  ['pending', false, false, 'authorization_pending'],
  ['pending', false, true, 'slow_down'],
  ['pending', true, false, 'expired_token'],
  ['pending', true, true, 'expired_token'],
  ['approved', false, false, 'issue'],
  ['approved', false, true, 'issue'],
  ['approved', true, false, 'expired_token'],
  ['approved', true, true, 'expired_token'],
  ['denied', false, false, 'access_denied'],
  ['denied', false, true, 'access_denied'],
  ['denied', true, false, 'access_denied'],
  ['denied', true, true, 'access_denied'],
  ['consumed', false, false, 'expired_token'],
  ['consumed', false, true, 'expired_token'],
  ['consumed', true, false, 'expired_token'],
  ['consumed', true, true, 'expired_token'],
]

describe('a poll', () => {
  test.each(POLLS)('of a grant that is %s (expired: %p, too soon: %p) is answered %s', (status, expired, tooSoon, verdict) => {
    expect(judgePoll({ status, expired, tooSoon })).toBe(verdict)
  })

  test('of a grant nobody knows is answered like one that expired', () => {
    expect(judgePoll(undefined)).toBe('expired_token')
  })
})

const fresh: PresentedRefreshToken = {
  sid: '6f0e0c3e-0f0f-4a43-9b7a-2d8f7f6f0f01',
  identity: { issuer: 'https://idp.example', sub: 'alice', email: undefined, name: undefined, groups: [] },
  revoked: false,
  tooOld: false,
  used: false,
  obsolete: false,
  successor: undefined,
  idpRefreshToken: 'sealed',
  claimed: true,
}
const used = { ...fresh, used: true, claimed: false, successor: 'sealed' }

const PRESENTATIONS: [string, PresentedRefreshToken | undefined, ReturnType<typeof judgePresented>][] = [
  ['nobody issued', undefined, 'unknown'],
  ['is unused and claimed by this presentation', fresh, 'refresh'],
  ['is unused and claimed by another', { ...fresh, claimed: false }, 'wait'],
  ['was used a moment ago', used, 'replay'],
  ['was used before the overlap', { ...used, obsolete: true }, 'reused'],
  ['was used before the overlap and is swept', { ...used, obsolete: true, successor: undefined }, 'reused'],
  ['belongs to a revoked sign-in', { ...fresh, revoked: true, claimed: false }, 'revoked'],
  ['was reused after its sign-in was revoked', { ...used, revoked: true, obsolete: true }, 'revoked'],
  ['belongs to a sign-in beyond its age', { ...fresh, tooOld: true, claimed: false }, 'too_old'],
]

describe('a refresh token', () => {
  test.each(PRESENTATIONS)('that %s', (_, token, verdict) => {
    expect(judgePresented(token)).toBe(verdict)
  })
})
