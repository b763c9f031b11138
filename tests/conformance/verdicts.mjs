// What a case expects.

/** Of our own rules, not of the RFC. */
export const ours = (test) => ({ ...test, contract: true });
