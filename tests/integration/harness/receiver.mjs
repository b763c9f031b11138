// Takes what webhooks send: a real HTTP server that answers as the test wants.
import { createHmac } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';

import { defer, Inbox } from './wait.mjs';

/** "v1,…" of Standard Webhooks, made apart from the daemon's own code. */
export function signatureOf(secret, { headers, text }) {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${text}`;
  return `v1,${createHmac('sha256', key).update(signed).digest('base64')}`;
}

class Receiver {
  /** Every request that was whole: {headers, text, json, path, answered}. */
  requests = new Inbox();
  /** How the next requests are answered; 200 when it is empty. */
  answers = [];
  connections = 0;

  constructor(server, scheme) {
    this.server = server;
    this.scheme = scheme;
    server.on('connection', () => (this.connections += 1));
  }

  take(request, response) {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const answer = this.answers.shift() ?? 200;
      this.requests.put({
        method: request.method,
        path: request.url,
        headers: request.headers,
        text,
        answer,
        get json() {
          return JSON.parse(text);
        },
      });
      if (answer === 'hang') return;
      if (typeof answer === 'function') answer(response);
      else response.writeHead(answer).end('{}');
    });
    response.on('error', () => {});
  }

  urlTo(host = '127.0.0.1', path = '/hook') {
    return `${this.scheme}://${host}:${this.port}${path}`;
  }

  /** The next one; `match` of its JSON. */
  next(what, match = () => true) {
    return this.requests.next(what, (request) => match(request.json));
  }
}

/** `tls` is {key, cert}. */
export async function startReceiver(t, { host = '127.0.0.1', tls } = {}) {
  const server = tls ? https.createServer(tls) : http.createServer();
  const receiver = new Receiver(server, tls ? 'https' : 'http');
  server.on('request', (request, response) => receiver.take(request, response));
  await new Promise((resolve) => server.listen(0, host, resolve));
  receiver.port = server.address().port;
  defer(t, () => {
    server.closeAllConnections?.();
    server.close();
  });
  return receiver;
}
