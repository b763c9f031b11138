// The reference's sockets: the npm package ws, and one update sent to every client when somebody
// joins. Argument: the port.
import http from 'node:http';

import { WebSocketServer } from 'ws';

const server = http.createServer((request, response) => {
  request.resume().on('end', () => {
    const body = '{"success":true}';
    const head = { 'content-type': 'application/json', 'content-length': body.length };
    response.writeHead(200, head).end(body);
    if (request.method !== 'POST') return;
    const data = { timestamp: Date.now(), count: clients.size, ema: 0, customerId: 'load-0000000' };
    const update = JSON.stringify({ type: 'metrics:update', data });
    for (const client of clients) client.send(update);
  });
});
const clients = new Set();
const sockets = new WebSocketServer({ server, path: '/ws/active-users' });
sockets.on('connection', (socket) => {
  socket.on('error', () => socket.terminate());
  socket.on('close', () => clients.delete(socket));
  socket.on('message', (bytes) => {
    const message = JSON.parse(bytes.toString());
    if (message.type !== 'auth') return;
    clients.add(socket);
    const { sessionId } = message;
    socket.send(JSON.stringify({ type: 'hello', timestamp: Date.now(), sessionId }));
  });
});
server.listen({ host: '127.0.0.1', port: Number(process.argv[2]), backlog: 4096 });
