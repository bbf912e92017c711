declare module '*.sql' {
  const text: string
  export default text
}
declare module '*.md' {
  const text: string
  export default text
}

declare module '*.yaml' {
  const text: string
  export default text
}

/** Imported with `{ type: 'file' }`: the path of the file, inside the compiled program too. */
declare module '*.wasm' {
  const path: string
  export default path
}
declare module '*.data' {
  const path: string
  export default path
}
