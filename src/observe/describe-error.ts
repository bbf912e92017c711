/** Name and place of a bug, without its message: a foreign error may quote what it was given. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return typeof error
  const place = error.stack?.split('\n').find((line) => line.trim().startsWith('at '))?.trim() ?? ''
  return `${error.name} ${place}`.trim()
}
