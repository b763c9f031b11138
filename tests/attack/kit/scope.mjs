// What a row starts is stopped when the row is over, whether it runs by itself or in a test.

/** Stands for node's test context where there is no test: clean-ups run in `close`. */
export class Scope {
  #cleanups = [];

  after(fn) {
    this.#cleanups.push(fn);
  }

  async close() {
    for (const cleanup of this.#cleanups.splice(0)) await cleanup();
  }
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
