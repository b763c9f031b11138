// What is evaluated in a page: text that every protocol takes, with a result that every one gives back.

/** `fn` with its arguments (JSON values), or an expression as text. */
export const expressionOf = (fn, args) =>
  typeof fn === 'string' ? fn : `(${fn})(...${JSON.stringify(args)})`;

/** A promise of the value as JSON: protocols disagree about everything but text. */
export const jsonOf = (fn, args) =>
  `(async () => JSON.stringify(await (${expressionOf(fn, args)})))()`;

export const valueOf = (text) => (typeof text === 'string' ? JSON.parse(text) : undefined);
