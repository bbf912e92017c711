// Who can sign in at the demonstration's identity provider. Their groups are what its gateway.yaml decides by.

export interface Person {
  readonly login: string
  readonly name: string
  readonly email: string
  readonly groups: readonly string[]
  /** What the demonstration's policies make of these groups, in words. */
  readonly may: string
}

export const PEOPLE: readonly Person[] = [
  { login: 'alice', name: 'Alice Novak', email: 'alice@example.com', groups: ['platform', 'engineering'], may: 'every model, Opus too' },
  { login: 'bob', name: 'Bob Adeyemi', email: 'bob@example.com', groups: ['engineering'], may: 'Sonnet and Haiku' },
  { login: 'carol', name: 'Carol Lindqvist', email: 'carol@example.com', groups: ['design'], may: 'Haiku, and no web access for its tools' },
  { login: 'dan', name: 'Dan Moreau', email: 'dan@example.com', groups: ['contractors'], may: 'nothing: the gateway refuses the sign-in' },
]

export function findPerson(login: string | null | undefined): Person | undefined {
  return PEOPLE.find((person) => person.login === login)
}
