// The reference as a whole: Fastify, ws and ioredis. A join, a beat and a leave by HTTP, a socket
// for the metrics, a timer that counts, averages, publishes and sends to every socket. It counts
// with SCAN and not with KEYS, which would stop Redis. Arguments: the port and Redis's.
import Fastify from 'fastify';
import Redis from 'ioredis';
import { WebSocketServer } from 'ws';

const UPDATE_MS = 5000;
const TTL_S = 180;
const [port, redisPort] = process.argv.slice(2).map(Number);
const connect = () => new Redis({ host: '127.0.0.1', port: redisPort, enableAutoPipelining: true });
const [redis, subscriber] = [connect(), connect()];
const app = Fastify({ logger: false });
const rooms = new Map(); // sockets of each customer
const key = (customerId, sessionId) => `presence:${customerId}:${sessionId}`;

async function store({ customerId, sessionId, tabId, timestamp }) {
  const presence = { customerId, sessionId, tabId, timestamp, isLeader: true, updatedAt: Date.now() };
  await redis.set(key(customerId, sessionId), JSON.stringify(presence), 'EX', TTL_S);
}

for (const action of ['join', 'beat'])
  app.post(`/presence/${action}`, async (request) => {
    await store(request.body);
    return { success: true };
  });
app.post('/presence/leave', async ({ body: { customerId, sessionId, tabId } }) => {
  const held = await redis.get(key(customerId, sessionId));
  if (held && JSON.parse(held).tabId === tabId) await redis.del(key(customerId, sessionId));
  return { success: true };
});

async function countOf(customerId) {
  let [cursor, count] = ['0', 0];
  do {
    const [next, found] = await redis.scan(cursor, 'MATCH', `presence:${customerId}:*`, 'COUNT', 1000);
    cursor = next;
    count += found.length;
  } while (cursor !== '0');
  return count;
}

setInterval(async () => {
  for (const customerId of rooms.keys()) {
    const count = await countOf(customerId);
    const before = await redis.get(`ema:${customerId}`);
    const ema = before === null ? count : 0.2 * count + 0.8 * Number(before);
    await redis.set(`ema:${customerId}`, ema);
    const data = { customerId, timestamp: Date.now(), count, ema: Math.round(ema * 1e4) / 1e4 };
    await redis.publish(`metrics:${customerId}`, JSON.stringify(data));
  }
}, UPDATE_MS);

await subscriber.psubscribe('metrics:*');
subscriber.on('pmessage', (pattern, channel, text) => {
  const message = `{"type":"metrics:update","data":${text}}`;
  for (const socket of rooms.get(channel.slice('metrics:'.length)) ?? []) socket.send(message);
});

const sockets = new WebSocketServer({ server: app.server, path: '/ws/active-users' });
sockets.on('connection', (socket) => {
  let room = null;
  socket.on('error', () => socket.terminate());
  socket.on('close', () => room?.delete(socket));
  socket.on('message', (bytes) => {
    const message = JSON.parse(bytes.toString());
    if (message.type === 'ping') {
      socket.send(JSON.stringify({ type: 'pong', timestamp: message.timestamp }));
    } else if (message.type === 'auth') {
      const { customerId, sessionId } = message;
      if (!rooms.has(customerId)) rooms.set(customerId, new Set());
      room = rooms.get(customerId).add(socket);
      socket.send(JSON.stringify({ type: 'hello', timestamp: Date.now(), sessionId }));
    }
  });
});
await app.listen({ host: '127.0.0.1', port, backlog: 4096 });
