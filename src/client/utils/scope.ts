// The browser as the client sees it. Everything goes through a scope, so that tests run many tabs
// with one fake clock, and an import needs no `window`.
export type Scope = Window & typeof globalThis;
