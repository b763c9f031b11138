// The reference's stack: Fastify and ioredis, one SET with a TTL a beat. Arguments: the port and
// Redis's.
import Fastify from 'fastify';
import Redis from 'ioredis';

const [port, redisPort] = process.argv.slice(2).map(Number);
const redis = new Redis({ host: '127.0.0.1', port: redisPort, enableAutoPipelining: true });
const app = Fastify({ logger: false });

app.post('/presence/beat', async (request, reply) => {
  const { customerId, sessionId, tabId, timestamp } = request.body ?? {};
  for (const [field, value] of Object.entries({ customerId, sessionId, tabId }))
    if (typeof value !== 'string' || value === '')
      return reply.code(400).send({ error: 'Bad Request', message: `${field} is required`, field });
  const presence = { customerId, sessionId, tabId, timestamp, isLeader: true, updatedAt: Date.now() };
  await redis.set(`presence:${customerId}:${sessionId}`, JSON.stringify(presence), 'EX', 180);
  return { success: true };
});
app.get('/health', async () => ({ status: 'ok' }));

await app.listen({ host: '127.0.0.1', port });
