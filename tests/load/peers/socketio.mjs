// The same with socket.io and its Redis adapter: one socket a person, a beat is an event, and one
// update a second to the room of a customer while its number changes. The sessions are in Redis
// with the index that the daemon has. Arguments: the port and Redis's.
import http from 'node:http';

import { createAdapter } from '@socket.io/redis-adapter';
import Redis from 'ioredis';
import { Server } from 'socket.io';

const UPDATE_MS = 1000;
const TTL_MS = 180_000;
const [port, redisPort] = process.argv.slice(2).map(Number);
const connect = () => new Redis({ host: '127.0.0.1', port: redisPort, enableAutoPipelining: true });
const [redis, publisher, subscriber] = [connect(), connect(), connect()];
const server = http.createServer();
const io = new Server(server, {
  adapter: createAdapter(publisher, subscriber),
  transports: ['websocket'],
  perMessageDeflate: false,
});
const changed = new Set();
const averages = new Map();

const touch = ({ customerId, sessionId }) =>
  redis.zadd(`index:${customerId}`, Date.now() + TTL_MS, sessionId);

io.on('connection', (socket) => {
  let who = null;
  socket.on('auth', async (message) => {
    who = message;
    socket.join(who.customerId);
    await touch(who);
    changed.add(who.customerId);
    socket.emit('hello', { timestamp: Date.now(), sessionId: who.sessionId });
  });
  socket.on('beat', () => who && touch(who));
  socket.on('disconnect', async () => {
    if (!who) return;
    await redis.zrem(`index:${who.customerId}`, who.sessionId);
    changed.add(who.customerId);
  });
});

setInterval(async () => {
  for (const customerId of changed) {
    changed.delete(customerId);
    const count = await redis.zcount(`index:${customerId}`, Date.now(), '+inf');
    const ema = 0.2 * count + 0.8 * (averages.get(customerId) ?? count);
    averages.set(customerId, ema);
    const data = { customerId, timestamp: Date.now(), count, ema: Math.round(ema * 1e4) / 1e4 };
    io.to(customerId).emit('metrics:update', data);
  }
}, UPDATE_MS);
server.listen({ host: '127.0.0.1', port, backlog: 4096 });
