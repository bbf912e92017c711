/**
 * Whether a form post comes from our own page. `Sec-Fetch-Site` decides where the browser sends it; `Origin` where it
 * does not; `Referer` never. A post with neither is refused: every browser that shows the page sends one of them.
 */
export function isSameOrigin(headers: Headers, publicUrl: string): boolean {
  const site = headers.get('sec-fetch-site')
  if (site !== null) return site === 'same-origin' || site === 'none'
  return headers.get('origin') === publicUrl
}
