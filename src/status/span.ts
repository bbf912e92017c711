const UNITS = [
  ['day', 86_400],
  ['h', 3600],
  ['min', 60],
] as const

/** How long something took, for people, in the largest unit that says enough: `48 s`, `12 min`, `31 h`, `12 days`. */
export function span(seconds: number): string {
  const [unit, size] = UNITS.find(([, one]) => seconds >= 2 * one) ?? ['s', 1]
  const count = Math.floor(seconds / size)
  return `${count} ${unit === 'day' ? 'days' : unit}`
}

/** The same on a page, where a number is not parted from its unit. */
export function spanShown(seconds: number): string {
  return span(seconds).replace(' ', '\u00a0')
}
