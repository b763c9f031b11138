// Commands with numbers over a WebSocket: Chromium's own protocol and WebDriver BiDi both speak so.
import { within } from '../../integration/harness.mjs';

/** A browser that does not answer fails the test, whose clean-up would wait for ever else. */
const ANSWER_MS = 80_000;

export class Protocol {
  #socket;
  #lastId = 0;
  #waiting = new Map();
  /** Called with what comes without having been asked for. */
  onEvent = () => {};

  static async open(socket) {
    const protocol = new Protocol();
    protocol.#socket = socket;
    socket.on('message', (text) => protocol.#onMessage(JSON.parse(text)));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    socket.on('close', () => {
      for (const { reject } of protocol.#waiting.values()) reject(new Error('the browser is gone'));
      protocol.#waiting.clear();
    });
    return protocol;
  }

  #onMessage({ id, result, error, message, ...event }) {
    const waiter = this.#waiting.get(id);
    if (!waiter) return this.onEvent(event);
    this.#waiting.delete(id);
    // An object in Chromium's protocol, a code and a message in BiDi.
    if (error) waiter.reject(new Error(error.message ?? `${error}: ${message}`));
    else waiter.resolve(result);
  }

  send(method, params = {}, more = {}) {
    const id = ++this.#lastId;
    this.#socket.send(JSON.stringify({ id, method, params, ...more }));
    const answer = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    return within(method, answer, ANSWER_MS);
  }

  close() {
    this.#socket.close();
  }
}
