// HTML pages: one frame, one style sheet, no script, nothing from anywhere else.
import { createHash } from 'node:crypto'

/** Markup that is safe to send: made by `html`, which escapes everything put into it. */
export interface Markup {
  readonly markup: string
}

/** An object of this shape that came from elsewhere, out of JSON perhaps, is not markup. */
const ours = new WeakSet<object>()

function trusted(markup: string): Markup {
  const made = { markup }
  ours.add(made)
  return made
}

/** Template tag. Values are escaped, other markup is kept, lists are joined, `undefined` and `false` vanish. */
export function html(strings: TemplateStringsArray, ...values: unknown[]): Markup {
  return trusted(strings.reduce((text, part, at) => text + insert(values[at - 1]) + part))
}

function insert(value: unknown): string {
  if (value === undefined || value === null || value === false) return ''
  if (Array.isArray(value)) return value.map(insert).join('')
  if (typeof value === 'object' && ours.has(value)) return (value as Markup).markup
  return escape(String(value))
}

/** Bidirectional controls are dropped: they let a value show itself as another. */
function escape(text: string): string {
  return text
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, '')
    .replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

const STYLE = `
:root{color-scheme:light dark;--paper:#f6f5f1;--card:#fff;--ink:#1c1b19;--soft:#5d5a53;--line:#dedbd2;--accent:#1f5f4a;--on-accent:#fff;--alert:#9a2f1c;--amber:#9c6500;--focus:#1a6fd4}
@media (prefers-color-scheme:dark){:root{--paper:#161614;--card:#1f1f1c;--ink:#f0eee8;--soft:#b0ada4;--line:#3a3934;--accent:#7fd1b1;--on-accent:#10241c;--alert:#ff9d88;--amber:#e6b450;--focus:#7db4ff}}
*{box-sizing:border-box}
html{font:100%/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-text-size-adjust:100%}
body{margin:0;min-height:100vh;min-height:100svh;display:grid;place-items:center;padding:1.5rem;background:var(--paper);color:var(--ink)}
main{width:100%;max-width:30rem;padding:2rem 2rem 1.75rem;background:var(--card);border:1px solid var(--line);border-radius:14px}
.brand{display:flex;align-items:center;gap:.55rem;margin:0 0 1.5rem;font-size:.8125rem;letter-spacing:.02em;color:var(--soft)}
.brand svg{width:1.25rem;height:1.25rem;fill:var(--accent)}
h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25;font-weight:650;letter-spacing:-.01em;text-wrap:balance}
p{margin:.6rem 0;text-wrap:pretty}
small,.soft{color:var(--soft);font-size:.875rem}
a{color:inherit;text-underline-offset:.15em}
code{font:.95em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
.code{margin:1.25rem 0;padding:1rem;border:1px solid var(--line);border-radius:10px;text-align:center;font:600 1.9rem/1.2 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;letter-spacing:.08em}
dl{margin:1.25rem 0;display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1.25rem;font-size:.9375rem}
dl div{display:contents}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.warn{padding:.75rem 1rem;border-left:3px solid var(--alert);background:color-mix(in srgb,var(--alert) 7%,transparent);border-radius:0 8px 8px 0}
.actions{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.5rem}
.actions form{flex:1 1 9rem}
button{width:100%;min-height:2.9rem;padding:.6rem 1rem;font:inherit;font-weight:600;color:var(--on-accent);background:var(--accent);border:1px solid var(--accent);border-radius:9px;cursor:pointer}
button.quiet{color:var(--ink);background:transparent;border-color:var(--soft)}
button:hover{filter:brightness(1.08)}
label{display:block;margin:1rem 0 .35rem;font-weight:600}
input{width:100%;min-height:3rem;padding:.5rem .75rem;font:600 1.25rem ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;letter-spacing:.08em;text-transform:uppercase;color:inherit;background:transparent;border:1px solid var(--soft);border-radius:9px}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
ul.people{list-style:none;margin:1.25rem 0 0;padding:0;display:grid;gap:.6rem}
ul.people button{display:grid;grid-template-columns:auto 1fr;gap:.1rem 1rem;align-items:baseline;text-align:left;color:var(--ink);background:transparent;border-color:var(--soft);font-weight:600}
ul.people button:hover{border-color:var(--accent);filter:none}
ul.people span{font-weight:400;font-size:.875rem;color:var(--soft)}
ul.people span:first-of-type{text-align:right}
ul.people span:last-child{grid-column:1/-1;text-align:left}
body.wide{place-items:start center}
.wide main{max-width:46rem}
.head{display:flex;justify-content:space-between;align-items:start;gap:1rem}
.head h1{margin:0}
.head p{margin:.15rem 0 0;overflow-wrap:anywhere}
button.small{width:auto;min-height:2.25rem;padding:.25rem .85rem;font-size:.875rem;white-space:nowrap}
h2,caption{margin:2rem 0 .75rem;font-size:1rem;font-weight:650;line-height:1.25;text-align:left}
.num,.tiles dd{font-variant-numeric:tabular-nums}
.tiles{margin:1.5rem 0 0;display:grid;grid-template-columns:repeat(3,1fr);gap:1px;background:var(--line);border:1px solid var(--line);border-radius:10px;overflow:hidden}
.tiles div{display:block;padding:.8rem 1rem;background:var(--card)}
.tiles dt{font-size:.8125rem}
.tiles dd{font-size:1.375rem;font-weight:650;letter-spacing:-.01em}
ul.limits{list-style:none;margin:0;padding:0;display:grid;gap:1.4rem}
.row{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem}
.bar{display:block;width:100%;height:.5rem;margin:.4rem 0 .35rem;border-radius:99px;background:var(--line);fill:var(--accent)}
.bar.warning{fill:var(--amber)}
.bar.critical{fill:var(--alert)}
.bar.share{height:.1875rem;margin:.3rem 0 0;opacity:.75;background:none}
table{width:100%;border-collapse:collapse;font-size:.9375rem}
caption{margin:2.25rem 0 .5rem}
th,td{padding:.45rem 0 .45rem 1rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;font-weight:400}
th:first-child{padding-left:0;width:40%;overflow-wrap:anywhere}
th.num,td.num{text-align:right;white-space:nowrap}
thead th{padding-top:0;color:var(--soft);font-size:.8125rem}
tbody tr:last-child>*{border-bottom:0}
.foot{margin-top:1.5rem}
.verdict{margin:1.5rem 0 0;padding:.9rem 1.1rem;border:1px solid var(--line);border-left:4px solid var(--accent);border-radius:4px 10px 10px 4px}
.verdict p{margin:0;font-size:1.125rem}
.verdict.warning{border-left-color:var(--amber)}
.verdict.bad{border-left-color:var(--alert)}
.verdict ul{margin:.6rem 0 0;padding-left:1.1rem}
.verdict li{margin:.3rem 0;overflow-wrap:anywhere;text-wrap:pretty}
section dl{margin:0}
.state{display:inline-block;padding-left:1.2em;text-indent:-1.2em;overflow-wrap:anywhere}
.state::before{content:"●"/"";display:inline-block;width:1.2em;text-indent:0;font-size:.75em;color:var(--accent)}
.state.bad::before{content:"▲"/"";color:var(--alert)}
.state.idle::before{content:"○"/"";color:var(--soft)}
.state.bad{font-weight:600}
code.fine{font-size:.8125rem}
.facts th:first-child{width:27%}
.facts td:not(.num){overflow-wrap:anywhere}
@media (max-width:36rem){.facts th:first-child{width:36%}}
.tight{display:none}
@media (max-width:36rem){.roomy{display:none}.tight{display:block;margin-top:.4rem}}
@media (max-width:30rem){.tiles{grid-template-columns:1fr}.tiles div{display:flex;justify-content:space-between;align-items:baseline;padding:.5rem .85rem}.tiles dd{font-size:1.0625rem}}
@media (max-width:26rem){body{padding:.75rem}main{padding:1.5rem 1.25rem}.code{font-size:1.5rem}}
@media (forced-colors:active){button{border-color:ButtonText}.bar{border:1px solid CanvasText;fill:CanvasText}.bar.share{border:0}}
`
const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`

/** A gate: decoration, so nothing for a screen reader. */
const GATE = 'M1 2h4v3h3V2h4v3h3V2h4v16h-5v-4a4 4 0 0 0-8 0v4H1z'
const MARK = html`<svg viewBox="0 0 20 20" aria-hidden="true"><path d="${GATE}"/></svg>`
/** Without an icon in the page a browser asks for /favicon.ico, and each visit would be a refusal in the audit log. */
const ICON = `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 20"><path fill="#2f8066" d="${GATE}"/></svg>`)}`

export interface Page {
  title: string
  body: Markup
  /** With room for tables. */
  isWide?: boolean
  /** Whose page it is, in the line above the heading. */
  brand?: string
  status?: number
  /** Where the page's forms may lead, besides this origin: a redirect of the answer counts. */
  formAction?: readonly string[]
  headers?: Record<string, string>
}

/** A complete page. Nothing of it is cached, framed or loaded from elsewhere. */
export function renderPage({ title, body, isWide = false, brand = 'gatehouse · Claude Code gateway', status = 200, formAction = [], headers = {} }: Page): Response {
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<link rel="icon" href="${ICON}">
<style>${trusted(STYLE)}</style>
</head>
<body${isWide && html` class="wide"`}>
<main>
<p class="brand">${MARK}${brand}</p>
${body}
</main>
</body>
</html>
`
  const policy = [
    "default-src 'none'",
    `style-src ${STYLE_SOURCE}`,
    'img-src data:',
    `form-action ${["'self'", ...formAction].join(' ')}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ')
  const answer = new Headers({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store', 'content-security-policy': policy })
  for (const [name, value] of Object.entries(headers)) answer.append(name, value)
  return new Response(document.markup, { status, headers: answer })
}
