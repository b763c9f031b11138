// A shop's own host, with the daemon under a path of it.
import http from 'node:http';
import net from 'node:net';

import { defer } from '../../integration/harness.mjs';

/**
 * Requests below `prefix` go to the daemon without it, WebSocket too; everything else is `pages` by
 * path: HTML, or {type, body, headers}. Returns the origin.
 */
export async function startProxy(t, daemon, prefix, pages) {
  const server = http.createServer((request, response) => {
    if (request.url.startsWith(prefix + '/')) {
      const onward = http.request(
        {
          port: daemon.httpPort,
          host: '127.0.0.1',
          path: request.url.slice(prefix.length),
          method: request.method,
          headers: request.headers,
        },
        (answer) => {
          response.writeHead(answer.statusCode, answer.headers);
          answer.pipe(response);
        },
      );
      onward.on('error', () => response.destroy());
      return request.pipe(onward);
    }
    const page = pages[new URL(request.url, 'http://shop').pathname];
    if (!page) return response.writeHead(404, { 'Content-Type': 'text/html' }).end('<p>not here');
    response.setHeader('Content-Type', page.type ?? 'text/html; charset=utf-8');
    for (const [name, value] of Object.entries(page.headers ?? {})) response.setHeader(name, value);
    response.end(page.body ?? page);
  });
  server.on('upgrade', (request, socket, head) => {
    if (!request.url.startsWith(prefix + '/')) return socket.destroy();
    const onward = net.connect(daemon.httpPort, '127.0.0.1', () => {
      const { rawHeaders } = request;
      let text = `GET ${request.url.slice(prefix.length)} HTTP/1.1\r\n`;
      for (let i = 0; i < rawHeaders.length; i += 2)
        text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`;
      onward.write(text + '\r\n');
      onward.write(head);
      socket.pipe(onward).pipe(socket);
    });
    for (const end of [socket, onward])
      end.on('error', () => [socket, onward].forEach((it) => it.destroy()));
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  defer(t, () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}
