// One TCP connection as bytes, for cases that no client library would send.
import net from 'node:net';

/** How long a server may take for any one answer. */
export const PATIENCE_MS = 5000;

export class Connection {
  ended = false;
  reset = false;
  received = Buffer.alloc(0);
  #socket;
  #wake = () => {};

  static async open({ host, port }) {
    const connection = new Connection();
    const socket = net.connect({ host, port, allowHalfOpen: true, noDelay: true });
    connection.#socket = socket;
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    socket.on('data', (chunk) => {
      connection.received = Buffer.concat([connection.received, chunk]);
      connection.#wake();
    });
    socket.on('error', () => (connection.reset = true)); // 'close' follows
    for (const event of ['end', 'close'])
      socket.on(event, () => {
        connection.ended = true;
        connection.#wake();
      });
    return connection;
  }

  /** Bytes in as few segments as the kernel likes. */
  send(bytes) {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  /** Bytes in pieces of `size`, each written when the kernel has taken the one before. */
  async sendInPieces(bytes, size) {
    for (let at = 0; at < bytes.length && !this.#socket.destroyed; at += size) {
      const piece = bytes.subarray(at, at + size);
      await new Promise((resolve) => this.#socket.write(piece, resolve));
      await new Promise(setImmediate);
    }
  }

  /** Says that nothing more will be sent. */
  half() {
    this.#socket.end();
  }

  close() {
    this.#socket.destroy();
  }

  /** Until `probe` gives something that is not null, or null once the connection or patience is over. */
  async until(probe, patienceMs = PATIENCE_MS) {
    const giveUpAt = Date.now() + patienceMs;
    for (;;) {
      const found = probe();
      const left = giveUpAt - Date.now();
      if (found !== null || this.ended || left <= 0) return found;
      let timer;
      await new Promise((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
    }
  }

  /** Whether the server has ended its side, after waiting for it. */
  async waitEnd(patienceMs = PATIENCE_MS) {
    await this.until(() => null, patienceMs);
    return this.ended;
  }

  take(length) {
    const bytes = this.received.subarray(0, length);
    this.received = this.received.subarray(length);
    return bytes;
  }
}
