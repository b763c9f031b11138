// One GET on a connection of its own.
import http from 'node:http';

/** {status, text} of `path` at `host:port`, or null when nobody answers. */
export function ask(address, path) {
  return new Promise((resolve) => {
    const request = http.get(`http://${address}${path}`, { agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece) => (text += piece));
      response.once('end', () => resolve({ status: response.statusCode, text }));
      response.once('error', () => resolve(null));
    });
    request.once('error', () => resolve(null));
  });
}
