// A reader of server-sent events (HTML standard, 9.2.6) that keeps all it saw.
import http from 'node:http';

import { defer, Inbox, within } from './wait.mjs';

export const streamOf = (customerId) => `/metrics/stream?customerId=${customerId}`;

export class EventStream {
  /** Events as {id, data}, data parsed. */
  inbox = new Inbox();
  comments = 0;
  retry = null;
  ended = false;
  #text = '';

  constructor(response) {
    this.response = response;
    this.headers = response.headers;
    response.setEncoding('utf8').on('data', (text) => this.#take(text));
    this.ending = new Promise((resolve) => {
      // A reset is an end like any other here.
      for (const event of ['end', 'error', 'close'])
        response.on(event, () => {
          this.ended = true;
          this.inbox.end('the stream ended');
          resolve();
        });
    });
  }

  /** Connects; throws an error with `status` when the answer is no stream. */
  static async open(t, daemon, customerId, { headers = {}, from } = {}) {
    const request = http.get({
      host: '127.0.0.1',
      port: daemon.httpPort,
      path: streamOf(customerId),
      agent: false,
      localAddress: from,
      headers,
    });
    defer(t, () => request.destroy());
    const response = await within(
      'the head of a stream',
      new Promise((resolve, reject) => request.once('response', resolve).once('error', reject)),
    );
    request.on('error', () => {});
    if (response.statusCode === 200) return new EventStream(response);
    response.resume();
    throw Object.assign(new Error(`a stream was answered with ${response.statusCode}`), {
      status: response.statusCode,
      headers: response.headers,
    });
  }

  #take(text) {
    this.#text += text;
    for (let end; (end = this.#text.indexOf('\n\n')) >= 0; ) {
      const block = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 2);
      const event = {};
      for (const line of block.split('\n')) {
        const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
        if (name === '') this.comments += 1;
        else if (name === 'retry') this.retry = Number(value);
        else event[name] = value;
      }
      if ('data' in event) this.inbox.put({ ...event, data: JSON.parse(event.data) });
    }
  }

  /** The data of the next event, or of the first that matches. */
  async update(match = () => true) {
    return (await this.inbox.next('an event', (event) => match(event.data))).data;
  }

  get updates() {
    return this.inbox.all.map((event) => event.data);
  }

  waitEnd() {
    return within('the stream to end', this.ending);
  }

  close() {
    this.response.destroy();
  }
}
