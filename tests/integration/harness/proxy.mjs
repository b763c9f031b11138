// A TCP proxy between a daemon and Redis, which knows where commands and answers end: it can cut a
// link before a command, behind it, or in the middle of its answer.
import net from 'node:net';

import { parseReply } from './redis.mjs';
import { defer, waitFor } from './wait.mjs';

/** Where a cut can be. `execute`: Redis gets the command; `show`: how much of its answer is seen. */
export const CUTS = {
  'before the command': { execute: false },
  'behind the command, without its answer': { execute: true, show: () => 0 },
  'in the middle of the answer': { execute: true, show: (bytes) => Math.ceil(bytes / 2) },
};

class Link {
  #proxy;
  #commands = Buffer.alloc(0);
  #replies = Buffer.alloc(0);
  #sent = []; // commands whose answers have not passed: the cut of each, or null
  #doomed = false; // nothing behind the command of a cut is passed on

  constructor(proxy, near) {
    this.#proxy = proxy;
    this.near = near;
    this.far = net.connect({ port: proxy.redisPort, host: '127.0.0.1' });
    for (const socket of [near, this.far]) {
      socket.setNoDelay(true);
      socket.on('error', () => {}); // 'close' follows
      socket.on('close', () => this.cut());
    }
    near.on('data', (bytes) => this.#onCommands(bytes));
    // Equal delays keep the order.
    const delayMs = proxy.answerDelayMs;
    this.far.on('data', (bytes) => {
      if (delayMs > 0) setTimeout(() => this.#onReplies(bytes), delayMs);
      else this.#onReplies(bytes);
    });
  }

  cut() {
    this.#proxy.links.delete(this);
    this.near.destroy();
    this.far.destroy();
  }

  /** A command is an array of texts, and so reads like a reply. */
  #onCommands(bytes) {
    this.#commands = Buffer.concat([this.#commands, bytes]);
    for (let read; !this.#doomed && (read = parseReply(this.#commands, 0)) !== null;) {
      const [words, length] = read;
      const text = this.#commands.subarray(0, length);
      this.#commands = this.#commands.subarray(length);
      const cut = this.#proxy.judge(words);
      if (cut !== null) this.#doomed = true;
      if (cut?.execute === false) return void this.#cutWhenAnswered();
      this.#sent.push(cut);
      this.far.write(text);
    }
  }

  /** Everything before the command is answered first. */
  #cutWhenAnswered() {
    if (this.#sent.length === 0) this.cut();
    else this.onAnswered = () => this.#sent.length === 0 && this.cut();
  }

  #onReplies(bytes) {
    this.#replies = Buffer.concat([this.#replies, bytes]);
    for (let read; (read = parseReply(this.#replies, 0)) !== null;) {
      const text = this.#replies.subarray(0, read[1]);
      this.#replies = this.#replies.subarray(read[1]);
      const cut = this.#sent.shift() ?? null;
      if (cut !== null) {
        this.near.write(text.subarray(0, cut.show(text.length)), () => this.cut());
        return;
      }
      this.near.write(text);
      this.onAnswered?.();
    }
  }
}

export class Proxy {
  links = new Set();
  /** Every command that came, while somebody wants to know. */
  heard = null;
  /** By how much new links delay each answer. */
  answerDelayMs = 0;
  #isOpen = true;
  #plan = null;

  constructor(redisPort) {
    this.redisPort = redisPort;
  }

  static async start(t, redis) {
    const proxy = new Proxy(redis.port);
    const server = net.createServer((near) => {
      if (proxy.#isOpen) proxy.links.add(new Link(proxy, near));
      else near.destroy();
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    defer(t, () => {
      proxy.shut();
      server.close();
    });
    proxy.url = `redis://127.0.0.1:${server.address().port}`;
    return proxy;
  }

  /** Cuts every link; new ones are made. */
  cut() {
    for (const link of this.links) link.cut();
  }

  /** Cuts every link, and makes no new one until `open`. */
  shut() {
    this.#isOpen = false;
    this.cut();
  }

  open() {
    this.#isOpen = true;
  }

  /** Cuts a link once, at the command number `skip` of those that match. */
  cutAt(cut, match, skip = 0) {
    this.#plan = { cut, match, skip };
  }

  get isCut() {
    return this.#plan === null;
  }

  waitCut() {
    return waitFor('the link to be cut', () => this.isCut, { everyMs: 2 });
  }

  /** The cut that a command meets, or null. */
  judge(words) {
    this.heard?.push(words);
    const plan = this.#plan;
    if (plan === null || !plan.match(words)) return null;
    if (plan.skip > 0) {
      plan.skip -= 1;
      return null;
    }
    this.#plan = null;
    return plan.cut;
  }
}
