import { html, type Markup } from '../http/page.ts'

/** How something does, in words, behind a mark of its own shape for each kind: never by colour alone. */
export function state(kind: 'good' | 'idle' | 'bad', words: string): Markup {
  return html`<span class="state ${kind}">${words}</span>`
}
