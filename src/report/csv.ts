// RFC 4180. Pure.

export type Cell = string | number | bigint | null

/**
 * One line with its CRLF. A spreadsheet takes a cell that begins with one of = + - @, a tab or a return for a formula, and
 * names of people and groups are chosen by others (CWE-1236): such a text gets an apostrophe before it.
 */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(written).join(',')}\r\n`
}

function written(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell !== 'string') return String(cell)
  const harmless = /^[=+\-@\t\r\n＝＋－＠]/.test(cell) ? `'${cell}` : cell
  // RFC 4180 §2.6, §2.7
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
