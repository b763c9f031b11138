// How late this process itself is: one process plays everybody, and on a busy machine it is late
// before a daemon is. What it saw and when is not judged then.

const LOOK_MS = 100;

/** So late, what was seen meanwhile is no proof: a truth of a second ago is compared with now. */
export const LATE_MS = 1000;
/** So late, requests are given up at the other end before they are whole. */
export const TOO_LATE_MS = 5000;

export class Lateness {
  worst = 0;
  #times = []; // [when, how late], only those of LATE_MS and more
  #timer;
  #dueAt = Date.now() + LOOK_MS;

  constructor() {
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  #look() {
    const now = Date.now();
    const late = now - this.#dueAt;
    this.worst = Math.max(this.worst, late);
    if (late >= LATE_MS) this.#times.push([now, late]);
    this.#dueAt = now + LOOK_MS;
  }

  /** How late it was at the most since then. */
  since(from) {
    this.#look(); // it may be late right now
    let most = 0;
    for (let i = this.#times.length - 1; i >= 0 && this.#times[i][0] >= from; i -= 1)
      most = Math.max(most, this.#times[i][1]);
    return most;
  }

  stop() {
    clearInterval(this.#timer);
  }
}
