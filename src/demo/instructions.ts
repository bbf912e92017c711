// What the demonstration prints: where everything is, and three ways to try it. The lines for the shell work as they
// stand, pasted together or one by one; a test runs them.
import { PEOPLE } from './people.ts'

export interface Surroundings {
  readonly version: string
  readonly gateway: string
  readonly issuer: string
  readonly upstream: string
  readonly directory: string | undefined
  readonly color: boolean
}

const BOLD = '1'
const DIM = '2'

export function instructions(here: Surroundings): string {
  const paint = (code: string, text: string) => (here.color ? `\u001b[${code}m${text}\u001b[0m` : text)
  const title = (text: string) => paint(BOLD, text)
  const aside = (text: string) => paint(DIM, text)
  const people = PEOPLE.map(({ login, groups, may }) => `  ${login.padEnd(8)}${groups.join(', ').padEnd(24)}${may}`).join('\n')
  const kept = here.directory === undefined ? 'nothing is kept' : `the database is kept in ${here.directory}`
  return `
${title(`gatehouse ${here.version} is running its demonstration on this machine alone.`)} Ctrl-C ends it; ${kept}.

  gateway            ${here.gateway}
  identity provider  ${here.issuer}   ${aside('made up: choose anybody, no password')}
  model upstream     ${here.upstream}   ${aside('made up: a script answers, nothing is billed')}

${title('People you can be')}
${people}

${title('With curl')}, in another terminal ${aside('(paste it whole, or line by line)')}
${indent(shellLines(here.gateway))}

${title('With a browser')}: instead of step 2, open the verification_uri_complete that step 1 prints, approve, and choose a person.

${title('With Claude Code')}: put this into /etc/claude-code/managed-settings.json, run claude, and sign in.
${indent(managedSettings(here.gateway))}

What happens is written below, one line of JSON for each event.
`
}

/** A whole sign-in and a streamed answer, for any POSIX shell with curl and sed. */
export function shellLines(gateway: string): string {
  return `G=${gateway} JAR=$(mktemp)
json() { sed -n 's/.*"'"$1"'":"\\([^"]*\\)".*/\\1/p'; }
words() { while IFS= read -r line; do case $line in *text_delta*) word=\${line##*\\"text\\":\\"}; printf %s "\${word%\\"*}";; esac; done; echo; }

# 1. The device asks for a code.
ASKED=$(curl -sS -d surface=curl "$G/oauth/device_authorization"); echo "$ASKED"

# 2. The person compares it, approves, and signs in. Here curl is the browser, and alice the person.
AT=$(curl -sS -b "$JAR" -c "$JAR" -H "Origin: $G" -d "user_code=$(echo "$ASKED" | json user_code)" -o /dev/null -w '%{redirect_url}' "$G/device")
curl -sS -b "$JAR" -c "$JAR" -L "$AT&login_hint=alice" | sed -n 's/.*<h1>\\(.*\\)<\\/h1>.*/\\1/p'

# 3. The device polls and gets its token.
TOKEN=$(curl -sS -d grant_type=urn:ietf:params:oauth:grant-type:device_code -d "device_code=$(echo "$ASKED" | json device_code)" "$G/oauth/token" | json access_token)

# 4. It asks, and the answer streams back through the gateway. Leave out the last word to see the events themselves.
curl -sSN "$G/v1/messages" -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -H 'anthropic-version: 2023-06-01' \\
  -d '{"model":"claude-haiku-4-5","max_tokens":300,"stream":true,"messages":[{"role":"user","content":"Hello from curl"}]}' | words`
}

/** What an administrator rolls out so that Claude Code signs in here and nowhere else. */
export function managedSettings(gateway: string): string {
  return JSON.stringify({ forceLoginMethod: 'gateway', forceLoginGatewayUrl: gateway }, null, 2)
}

function indent(text: string): string {
  return text.replace(/^(?=.)/gm, '  ')
}
