// What a Redis server saw of the ticks of one customer, in the order in which it saw it.
import assert from 'node:assert/strict';

/** The average after a tick, by the contract's formula. */
export function emaStep(ema, alpha, count, intervals) {
  return count + (ema - count) * (1 - alpha) ** intervals;
}

/** A tick: its time on Redis's clock, the average kept with it, and what was published of it. */
export class Ticks {
  all = [];
  /** Everything published for the customer: {data, client, tick}. */
  published = [];

  constructor(client, customerId) {
    this.customerId = customerId;
    const words = /^(?<at>[\d.]+) \[\d+ (?<client>[^\]]+)\] (?<command>.*)$/s;
    client.pushed.put = (line) => this.#take(words.exec(line).groups);
  }

  /** Watches from now on. */
  static async of(redis, customerId) {
    const client = await redis.client();
    const ticks = new Ticks(client, customerId);
    await client.call('MONITOR');
    return ticks;
  }

  #take({ client, command }) {
    const args = [...command.matchAll(/"((?:[^"\\]|\\.)*)"/gs)].map((match) => match[1]);
    const name = args[0]?.toLowerCase();
    if (name === 'set' && args[1] === `au:tick:${this.customerId}`)
      this.all.push({ at: Number(args[2]), messages: [] });
    if (name === 'set' && args[1] === `ema:${this.customerId}`)
      this.all.at(-1).ema = Number(args[2]);
    if (name !== 'publish' || args[1] !== `metrics:${this.customerId}`) return;
    const data = JSON.parse(args[2].replaceAll('\\"', '"'));
    const message = { data, client, tick: this.all.at(-1) };
    this.published.push(message);
    message.tick?.messages.push(message);
  }

  /** Ticks that are over: another one came after them. */
  get past() {
    return this.all.slice(0, -1);
  }

  /**
   * What was published with the average of a tick: its own message, and changes, which carry it too.
   * Those of another daemon may even come before it.
   */
  static messagesOf(tick) {
    return tick.messages.filter(({ data }) => Math.abs(data.ema - tick.ema) <= 5.1e-5);
  }

  /** How many intervals the average took for the time between two ticks. */
  static #intervals(elapsed, interval) {
    return Math.max(1, Math.floor((elapsed + interval / 2) / interval));
  }

  /**
   * Every tick came at least half an interval after the one before it, another daemon made it
   * only when one was missed, it was published, and its average is that of the contract over
   * the counts published, whoever made it. A daemon that was killed or stopped between the two
   * `mayMiss` a message.
   */
  assertOne({ alpha, interval }, { mayMiss = 0 } = {}) {
    let last = null;
    let previous = null; // the message of the last one, null where it is not known
    let missed = 0;
    for (const tick of this.past) {
      const messages = Ticks.messagesOf(tick);
      let message = null;
      if (messages.length === 0) {
        missed += 1;
        assert.ok(missed <= mayMiss, `tick of ${tick.at} was not published`);
      } else if (last !== null) {
        const elapsed = tick.at - last.at;
        assert.ok(elapsed >= interval / 2, `ticked twice: after ${elapsed} ms`);
        const intervals = Ticks.#intervals(elapsed, interval);
        const want = ({ data }) => emaStep(last.ema, alpha, data.count, intervals);
        message = messages.find((one) => Math.abs(tick.ema - want(one)) < 1e-9);
        assert.ok(message, `${tick.ema} after ${intervals} intervals, not ${messages.map(want)}`);
        assert.ok(
          previous === null || previous.client === message.client || elapsed >= interval,
          `ticked by another daemon after ${elapsed} ms`,
        );
      }
      [last, previous] = [tick, message];
    }
  }
}
