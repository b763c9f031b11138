// What is true of one person, as far as anybody outside can know: certain before a request is sent
// and after it was answered, open in between.
export const OUT = 0;
export const OPEN = 1;
export const IN = 2;

/** How much later than its time an end may come: a busy machine, a rounded grace, a lost FIN. */
export const SLACK_MS = 3000;
/** And how much earlier: a round trip to Redis's clock, a turn of the daemon. */
const EARLY_MS = 300;

export class Person {
  #steps = [{ at: -Infinity, state: OUT }];

  constructor(name) {
    this.name = name;
  }

  /** From `at` on; what was foreseen for later is void. */
  #set(at, state) {
    while (this.#steps.at(-1).at >= at) this.#steps.pop();
    this.#steps.push({ at, state });
  }

  #stateAt(at) {
    return this.#steps.findLast((step) => step.at <= at).state;
  }

  /** A sign of life is being sent: whoever was in stays in, whoever was out may be in. */
  sending(now = Date.now()) {
    if (this.#stateAt(now) === OUT) this.#set(now, OPEN);
  }

  /** It was acknowledged; sent at `sentAt`, good for `ttlMs`. */
  renewed(sentAt, ttlMs, now = Date.now()) {
    this.#set(now, IN);
    this.#endsBetween(sentAt + ttlMs, now + ttlMs);
  }

  /**
   * It was answered before it was stored, which follows within `lagMs`: whoever is in until then
   * stays in, whoever is not is in for certain only from then on.
   */
  answered(sentAt, ttlMs, lagMs, now = Date.now()) {
    this.sending(now);
    this.#steps = this.#steps
      .filter((step) => step.at < now + lagMs)
      .map((step) => (step.at > now && step.state === OUT ? { at: step.at, state: OPEN } : step));
    this.#set(now + lagMs, IN);
    this.#endsBetween(sentAt + ttlMs, now + ttlMs);
  }

  /** A goodbye, or a socket that ends: over between these two times, if nothing comes. */
  going(fromMs, toMs, now = Date.now()) {
    if (this.#stateAt(now) === OUT) return;
    this.#steps = this.#steps.filter((step) => step.at <= now);
    this.#endsBetween(Math.max(fromMs, now), toMs);
  }

  #endsBetween(fromMs, toMs) {
    const from = Math.max(fromMs - EARLY_MS, this.#steps.at(-1).at);
    this.#steps.push({ at: from, state: OPEN }, { at: toMs + SLACK_MS, state: OUT });
  }

  /** A leave was acknowledged: out. */
  gone(now = Date.now()) {
    this.#set(now, OUT);
  }

  /** The least and the most that it may have counted between two times. */
  between(from, to) {
    let [least, most] = [1, 0];
    for (const [i, step] of this.#steps.entries()) {
      const end = this.#steps[i + 1]?.at ?? Infinity;
      if (end <= from || step.at > to) continue;
      if (step.state !== IN) least = 0;
      if (step.state !== OUT) most = 1;
    }
    return [least, most];
  }
}

/** Of all of them. */
export function truthBetween(people, from, to) {
  let [least, most] = [0, 0];
  for (const person of people) {
    const [low, high] = person.between(from, to);
    least += low;
    most += high;
  }
  return { least, most };
}
