// The page at which a visitor of the demonstration chooses who to be.
import { html, renderPage, type Markup } from '../http/page.ts'
import { PEOPLE, type Person } from './people.ts'

const BRAND = 'demonstration · identity provider'

/** One button a person; the request that is being answered travels in the form. */
export function choosePersonPage(parameters: URLSearchParams, clientOrigin: string): Response {
  return renderPage({
    title: 'Choose who to be',
    brand: BRAND,
    formAction: [clientOrigin],
    body: html`<h1>Who would you like to be?</h1>
<p>This page stands in for your organisation’s. It asks for no password. What each person may do is decided by the gateway, from their groups.</p>
<form method="post" action="/authorize">
${[...parameters].map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
<ul class="people">${PEOPLE.map(personButton)}</ul>
<div class="actions"><button type="submit" name="person" value="" class="quiet">Cancel</button></div>
</form>`,
  })
}

function personButton({ login, name, groups, may }: Person): Markup {
  return html`<li><button type="submit" name="person" value="${login}">${name}<span>${groups.join(', ')}</span><span>${may}</span></button></li>`
}

export function badRequestPage(message: string): Response {
  return renderPage({ title: 'Not a sign-in', brand: BRAND, status: 400, body: html`<h1>This is not a sign-in</h1><p>${message}</p>` })
}
