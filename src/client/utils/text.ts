// Text from outside.

/** A string as it is; anything else is none, because not all of JSON can be made a string. */
export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;
