// What the scripted upstream says. Pure: the same question gets the same answer.

export interface Question {
  readonly model: string
  /** The newest thing the person wrote. */
  readonly text: string
  /** Who asks, if the gateway says so. */
  readonly email: string | undefined
}

const QUOTED_CHARACTERS = 60

const CLOSINGS = [
  'If this had been a real question, a real model would have had a real opinion. Until then, I am all ears and no weights.',
  'I have no weights, no cutoff date and no bill. Ask me anything; I shall be charming about not knowing it.',
  'Every word of this crossed the gateway on its own, about thirty milliseconds after the one before. That is the whole trick.',
]

/** A few sentences that name the person and the model. */
export function answerTo({ model, text, email }: Question): string {
  const name = email === undefined ? 'stranger' : capitalised(email.split('@')[0] ?? '')
  const quoted = text.replace(/\s+/g, ' ').trim()
  const heard = quoted === '' ? 'You said nothing at all, which I respect.' : `You said “${shortened(quoted)}”.`
  const closing = CLOSINGS[[...quoted].length % CLOSINGS.length]
  return `Good day, ${name}! You asked for ${model}, and gatehouse agreed that you may. I am its understudy: a script on your own machine. ${heard} ${closing}`
}

/** The text of the newest user message; Claude Code puts reminders of its own in front of what was typed. */
export function newestText(messages: unknown): string {
  if (!Array.isArray(messages)) return ''
  const newest = messages.findLast((message) => message?.role === 'user')?.content
  if (typeof newest === 'string') return newest
  if (!Array.isArray(newest)) return ''
  const typed = newest.findLast((block) => block?.type === 'text' && typeof block.text === 'string' && !block.text.startsWith('<system-reminder>'))
  return typed?.text ?? ''
}

function shortened(text: string): string {
  const characters = [...text]
  return characters.length <= QUOTED_CHARACTERS ? text : `${characters.slice(0, QUOTED_CHARACTERS).join('')}…`
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
