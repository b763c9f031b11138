// One allocation of the daemon after the other fails: it neither dies nor goes deaf, acknowledges
// nothing that it has not stored, and gives everything back. OOM=long also fails several in a row.
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';

import {
  defer,
  EventStream,
  freshId,
  httpText,
  keyOf,
  parseResponse,
  Socket,
  startDaemon,
  startReceiver,
  startRedis,
  tempDir,
  waitFor,
  waitWhole,
  within,
} from '../integration/harness.mjs';
import { Allocations } from './allocations.mjs';

const LIBRARY = process.env.AU_FAIL_MALLOC;
const LONG = process.env.OOM === 'long';
const HISTORY_BLOCKS = 6; // of one customer in the memory store, at most
const ROWS = LONG ? [1, 2, 5] : [1];
/** The short form takes some of what takes long: a round waits for Redis, a tick or a reload. */
const STRIDES = {
  'a reload': 10,
  'a webhook': 50,
  'changes and ticks that a watcher sees': 5,
  'the link to Redis is cut and made again': 7,
};
const strideOf = (name, store) => {
  if (LONG) return name in MEMORY_ACTIONS ? 5 : 1;
  return STRIDES[name] ?? (store === 'redis' ? 3 : 1);
};
/** Only what hangs takes so long. */
const TIMEOUT_MS = 500_000;
const MOST = 400; // of one action: a bound, none comes near
const TTL_S = 10; // for so long a daemon with Redis remembers who left

/** One request on a connection of its own: the response, or null when it was closed without one. */
function ask(port, text) {
  const socket = net.connect({ port, host: '127.0.0.1' });
  const answer = new Promise((resolve) => {
    let bytes = Buffer.alloc(0);
    const end = () => resolve(null);
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      const parsed = parseResponse(bytes);
      if (parsed) resolve(parsed.response);
    });
    for (const event of ['end', 'error', 'close']) socket.on(event, end);
    socket.write(text);
  });
  return within('an answer or an end', answer).finally(() => socket.destroy());
}

const post = (action, beat) => httpText('POST', `/presence/${action}`, { body: JSON.stringify(beat) });
const get = (target) => httpText('GET', target);

class Patient {
  constructor(t, daemon, memory, redis) {
    Object.assign(this, { t, daemon, memory, redis });
    this.idleDescriptors = this.descriptors();
  }

  ask(text, port = this.daemon.httpPort) {
    return ask(port, text);
  }

  async socket(port, auth) {
    const socket = await Socket.open(this.t, port).catch(() => null);
    socket?.send({ type: 'auth', ...auth });
    const answer = (message) => ['hello', 'error'].includes(message.type);
    const first = await socket?.inbox.next('hello', answer).catch((error) => {
      assert.notEqual(socket.closed, null, error.message);
    });
    if (first?.type === 'hello') return socket;
    socket?.terminate();
    return null; // nothing was promised
  }

  /** Acknowledged is stored, in Redis too. */
  async mustHave(beat, count = 1) {
    await this.daemon.waitCount(beat.customerId, count);
    if (!this.redis) return;
    await waitWhole(this.daemon);
    await waitFor(
      'the key in Redis',
      async () => (await this.redis.call('EXISTS', keyOf(beat))) === count,
    );
  }

  /** Both ports answer somebody new. */
  async mustLive() {
    const health = await this.ask(get('/health'));
    assert.equal(health?.status, 200, 'health');
    const socket = await Socket.open(this.t, this.daemon.wsPort);
    socket.send({ type: 'ping', timestamp: 1 });
    await socket.next('pong');
    socket.terminate();
  }

  descriptors() {
    return readdirSync(`/proc/${this.daemon.pid}/fd`).length;
  }

  /** No other connection is there, whose end would have a deaf port look at its queue again. */
  async alone() {
    if (this.redis) return; // its links come and go
    await waitFor('all connections to end', () => this.descriptors() <= this.idleDescriptors);
  }

  async end(beat) {
    await waitFor('the leave', async () => (await this.ask(post('leave', beat)))?.status === 200);
    await this.mustHave(beat, 0);
  }
}

const fresh = () => ({ customerId: 'shop', sessionId: freshId('s'), tabId: 't' });
const refused = (answer) => answer === null || answer.status >= 500;

/** Each does its part while an allocation fails, and ends with nobody there. */
const ACTIONS = {
  join: async (p) => {
    const beat = { ...fresh(), customerId: freshId('shop'), userAgent: 'caf\u00e9 "1"', timestamp: 1.5 };
    await p.alone();
    p.arm();
    const answer = await p.ask(post('join', beat));
    p.memory.disarm();
    if (answer?.status === 200) await p.mustHave(beat);
    else assert.ok(refused(answer), answer?.text);
    await p.end(beat);
  },
  beat: async (p) => {
    const beat = fresh();
    assert.equal((await p.ask(post('join', beat))).status, 200);
    p.arm();
    const answer = await p.ask(post('beat?metrics=1', beat));
    p.memory.disarm();
    assert.ok(answer?.status === 200 || refused(answer), answer?.text);
    await p.mustHave(beat);
    await p.end(beat);
  },
  leave: async (p) => {
    const beat = fresh();
    assert.equal((await p.ask(post('join', beat))).status, 200);
    p.arm();
    const answer = await p.ask(post('leave', beat));
    p.memory.disarm();
    if (answer?.status === 200) await p.mustHave(beat, 0);
    else assert.ok(refused(answer), answer?.text);
    await p.end(beat);
  },
  'a pipeline of requests': async (p) => {
    const beat = fresh();
    const text = [get('/metrics?customerId=shop'), post('join', beat), get('/metrics'), get('/client.js')];
    p.arm();
    await p.ask(text.join('') + get('/nothing'));
    p.memory.disarm();
    await p.end(beat);
  },
  'an upgrade and auth on the HTTP port': (p) => upgrade(p, p.daemon.httpPort),
  'an upgrade and auth on the WebSocket port': (p) => upgrade(p, p.daemon.wsPort),
  'a ping': async (p) => {
    const beat = fresh();
    const socket = await Socket.join(p.t, p.daemon.wsPort, beat);
    p.arm();
    socket.send({ type: 'ping', timestamp: 7.5 });
    await socket.inbox
      .next('an answer', (message) => ['pong', 'error'].includes(message.type))
      .catch(() => assert.notEqual(socket.closed, null, 'neither an answer nor an end'));
    p.memory.disarm();
    socket.terminate();
    await p.end(beat);
  },
  'a stream': async (p) => {
    const beat = fresh();
    p.arm();
    const stream = await EventStream.open(p.t, p.daemon, beat.customerId).catch(() => null);
    await stream?.inbox.next('the first event', () => true, 300).catch(() => {}); // or the next
    p.memory.disarm();
    await p.ask(post('join', beat));
    if (stream && !stream.ended) await stream.update((data) => data.count === 1);
    stream?.close();
    await p.end(beat);
  },
  'changes and ticks that a watcher sees': async (p) => {
    const beat = fresh();
    const socket = await Socket.join(p.t, p.daemon.wsPort, { customerId: 'shop' }).catch(() => null);
    if (!socket) return;
    await socket.update();
    p.arm();
    await p.ask(post('join', beat));
    const before = p.memory.calls;
    await waitFor('some ticks', () => p.memory.calls > before + 60 || p.memory.failed > p.failed, {
      timeoutMs: 1000,
    }).catch(() => {});
    p.memory.disarm();
    await p.ask(post('join', beat));
    if (socket.closed === null) await socket.update((data) => data.count === 1);
    socket.terminate();
    await p.end(beat);
  },
};

const config = (rate, sessions) =>
  `rate-customer.shop = ${rate}\nmax-sessions.shop = ${sessions}\n` +
  'webhook.shop = http://hooks.example/x customer shop above 5 for 1h\n';
const [FEW, MANY] = [config(1000, 1), config(2000, 1000)];

/** A reload that fails half way leaves all limits as they were: of requests, and of the table. */
ACTIONS['a reload'] = async (p) => {
  const load = async (text) => {
    const lines = () => p.daemon.log.filter(({ event }) => /reloaded$/.test(event)).length;
    const before = lines();
    writeFileSync(p.config, text);
    p.daemon.signal('SIGHUP');
    await waitFor('the end of a reload', () => lines() > before, { everyMs: 5 });
  };
  await load(MANY);
  p.arm();
  await load(FEW);
  p.memory.disarm();
  const [first, second] = [fresh(), fresh()];
  const answers = [await p.ask(post('join', first)), await p.ask(post('join', second))];
  const few = answers[0].headers['x-ratelimit-limit'] === '1000';
  assert.deepEqual(answers.map(({ status }) => status), [200, few ? 503 : 200]);
  await p.ask(post('leave', second));
  await p.end(first);
};

async function upgrade(p, port) {
  const beat = fresh();
  await p.alone();
  p.arm();
  const socket = await p.socket(port, beat);
  p.memory.disarm();
  if (socket) await p.mustHave(beat);
  socket?.terminate();
  await p.end(beat);
}

const REDIS_ACTIONS = {
  'the link to Redis is cut and made again': async (p) => {
    p.arm();
    await p.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await p.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub').catch(() => {});
    const beat = fresh();
    const answer = await p.ask(post('join', beat));
    await waitWhole(p.daemon);
    p.memory.disarm();
    if (answer?.status === 200) await p.mustHave(beat);
    await p.end(beat);
  },
};

/** Rounds of seconds, for it waits until a condition has held. */
const MEMORY_ACTIONS = {
  'a webhook': async (p) => {
    const beat = fresh();
    const arrived = (state) =>
      p.receiver.requests.all.filter(({ json }) => json.state === state).length;
    const dropped = () => p.daemon.log.filter(({ event }) => event === 'dropped').length;
    const before = [arrived('firing') + dropped(), arrived('recovered')];
    assert.equal((await p.ask(post('join', beat))).status, 200);
    p.arm();
    await waitFor('the message', () => arrived('firing') + dropped() > before[0]);
    p.memory.disarm();
    assert.equal((await p.ask(post('leave', beat))).status, 200);
    await waitFor('the next one', () => arrived('recovered') > before[1]);
  },
};

/** Until the action ran and reached no n-th allocation. */
async function failEach(p, action, row, stride) {
  const settled = () =>
    waitFor('sockets and connections to end', async () => {
      const samples = await p.daemon.samples();
      return samples.get('au_websocket_sockets') === 0;
    });
  for (let warm = 0; warm < 3; warm += 1) {
    p.arm = () => {};
    await action(p);
    await p.mustLive();
  }
  await settled();
  const [live, fds] = [p.memory.live, p.descriptors()];
  let n = 1 - stride;
  let rounds = 0;
  for (let failed = 1; failed > 0; ) {
    n += stride;
    rounds += 1;
    assert.ok(n <= MOST, 'it does not end');
    p.failed = p.memory.failed;
    p.arm = () => p.memory.arm(n, row);
    try {
      await action(p);
      p.memory.disarm();
      failed = p.memory.failed - p.failed;
      await p.mustLive();
      await settled();
    } catch (error) {
      error.message += `\nafter the ${n}-th allocation failed, ${row} in a row:\n${p.memory.where()}\n${p.daemon.stderr.slice(-2000)}`;
      throw error;
    }
  }
  await settled();
  await waitFor('descriptors', () => p.descriptors() <= fds);
  await waitFor('memory to come back', () => {
    const kept = p.memory.live - live;
    // Tables, buffers and libraries may keep some, though not one of each round; but each join is
    // one of a new customer, whose history stays.
    const history = action === ACTIONS.join ? HISTORY_BLOCKS * rounds : 0;
    assert.ok(kept <= Math.max(8, rounds / 2) + history, `${kept} blocks more than before ${rounds} rounds`);
    return true;
  });
  return n;
}

async function failEachOf(t, store, name, action, row) {
  const memory = await Allocations.create(t);
  const redis = store === 'redis' ? await startRedis(t) : null;
  const configFile = path.join(await tempDir(t), 'config');
  const receiver = name in MEMORY_ACTIONS ? await startReceiver(t) : null;
  const line = `webhook.a = ${receiver?.urlTo('localhost')} customer shop above 0 for 1s\n`;
  writeFileSync(configFile, receiver ? line : '');
  const daemon = await startDaemon(
    t,
    {
      config: configFile,
      'redis-url': redis?.url,
      'webhook-networks': '127.0.0.0/8, ::1',
      'webhook-secret': 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      'ema-interval': name.startsWith('changes') ? 60 : 3600_000,
      'idle-timeout': 3600_000,
      'disconnect-grace': 50,
      'presence-ttl': TTL_S,
    },
    { FAIL_MALLOC_FILE: memory.file, LD_PRELOAD: path.resolve(LIBRARY) },
  );
  defer(t, () => memory.disarm());
  if (redis) await waitWhole(daemon);
  const p = new Patient(t, daemon, memory, redis && (await redis.client()));
  p.config = configFile;
  p.receiver = receiver;
  const n = await failEach(p, action, row, strideOf(name, store));
  t.diagnostic(`about ${n - 1} allocations`);
}

test('failing allocations', { concurrency: 8 }, async (context) => {
  const running = [];
  for (const store of ['memory', 'redis'])
    for (const row of ROWS)
      for (const [name, action] of Object.entries({
        ...ACTIONS,
        ...(store === 'redis' ? REDIS_ACTIONS : MEMORY_ACTIONS),
      }))
        running.push(
          context.test(`${store}: ${name}, ${row} in a row`, { timeout: TIMEOUT_MS }, (t) =>
            failEachOf(t, store, name, action, row),
          ),
        );
  await Promise.all(running);
});
