export interface Paint {
  bold(text: string): string
  dim(text: string): string
  alarm(text: string): string
}

const plain = (text: string) => text
const sgr = (code: number) => (text: string) => `\u001b[${code}m${text}\u001b[0m`
const PLAIN: Paint = { bold: plain, dim: plain, alarm: plain }
const COLORED: Paint = { bold: sgr(1), dim: sgr(2), alarm: sgr(31) }

/** How a report is set off: on a terminal that takes colour, ECMA-48 §8.3.117; else not at all. */
export function paintFor(color: boolean): Paint {
  return color ? COLORED : PLAIN
}
