// What is wrong with how days ended, before any event is looked at: what retention does not explain, and what contradicts the
// places of the trail that somebody noted elsewhere. Pure.
import { placeText, type Fault } from './fault.ts'
import type { ClosedDay, Head, Outline } from './store.ts'

const DAY_MS = 86_400_000

export interface OutlineQuestion {
  readonly retentionDays: number
  /** Of days before it only what anchors say of them is looked at. */
  readonly from: string | undefined
  readonly anchors: readonly Head[]
  readonly now: Date
}

export function outlineFault({ head, closed, today: toldToday }: Outline, { retentionDays, from = '', anchors, now }: OutlineQuestion): Fault | undefined {
  // Later than it is here it can only be by a moment: whoever forges the trail may forge the clock of its database.
  const today = [toldToday, shifted(now.toISOString().slice(0, 10), 1)].toSorted()[0] as string
  const never = [...closed, head].find(({ day }) => !/^\d{4}-\d\d-\d\d$/.test(day))
  if (never !== undefined) return { kind: 'end', at: { day: never.day, seq: 1 }, words: 'there is no such day' }
  if (head.day > today) return { kind: 'end', at: head, words: `the trail is on record as ending on a day that has not come yet: it is ${today}` }
  const beyond = closed.find(({ day }) => day >= head.day)
  if (beyond !== undefined) return { kind: 'end', at: { day: beyond.day, seq: beyond.events }, words: `a day is on record as over, and the trail as ending at ${placeText(head)}` }
  const kept = shifted(today, -retentionDays)
  const early = closed.find(({ day, forgotten }) => forgotten && day >= from && day >= kept)
  if (early !== undefined) return { kind: 'removed', at: { day: early.day, seq: 1 }, words: `its events were removed, and admin.audit_retention_days keeps them: if it was less when they were removed, begin behind them, --from ${shifted(early.day, 1)}` }
  const byPlace = new Map<string, string>()
  for (const anchor of anchors) {
    const fault = contradiction(anchor, byPlace.get(placeText(anchor)), head, closed)
    if (fault !== undefined) return fault
    byPlace.set(placeText(anchor), anchor.hash)
  }
  return undefined
}

/** `other`: the hash of another anchor of this place. The anchor of a day without events says nothing. */
function contradiction(anchor: Head, other: string | undefined, head: Head, closed: readonly ClosedDay[]): Fault | undefined {
  const { day, seq, hash } = anchor
  const at = { day, seq }
  if (other !== undefined && other !== hash) return { kind: 'anchor', at, words: `two anchors say different things of it, ${other} and ${hash}: the trail was written anew between them` }
  if (seq === 0 || day === head.day) return undefined
  const record = closed.find((one) => one.day === day)
  if (record === undefined) return { kind: 'cut_off', at, words: day > head.day ? `an anchor says that there was an event here, and the trail ends at ${placeText(head)}` : 'an anchor says that there was an event here, and nothing is on record of that day' }
  if (seq > record.events) return { kind: 'anchor', at, words: `an anchor says that there was an event here, and the day is on record as having had ${record.events}` }
  if (seq === record.events && hash !== record.hash) return { kind: 'anchor', at, words: `the day is on record as having ended with ${record.hash}, and the anchor says ${hash}` }
  return undefined
}

function shifted(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10)
}
