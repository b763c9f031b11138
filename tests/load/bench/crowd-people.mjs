// A part of the people of one shop, in a process of their own: each has a page with a socket, pings
// every 30 s and goes to the next page once a minute. Arguments: the protocol (ours, reference,
// socketio), host:port of HTTP and of the sockets, the address they come from, the number of the
// first of them and how many they are, how many people the shop has, for how many seconds. It prints
// `ready` when all are there, measures from the line that it is sent until the time is over, and
// prints bytes, frames and page views as JSON. Who is not there in time ends it with a line that
// says why.
import http from 'node:http';

import WebSocket from 'ws';

const [protocol, web, sockets, localAddress, ...numbers] = process.argv.slice(2);
const [first, mine, people, seconds] = numbers.map(Number);
const BEAT_MS = 30_000;
const PAGE_MS = 60_000;
const PAGE_GONE = 4001;
/** People who are coming and are not there yet. */
const AT_ONCE = 100;
/** Nobody has come for so long: there is a reason. */
const STUCK_MS = 20_000;
/** What a browser sends with each request, as far as a page cannot help it. */
const BROWSER = {
  'user-agent':
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'accept-encoding': 'gzip, deflate, br, zstd',
  'accept-language': 'en-US,en;q=0.9',
  origin: 'https://shop.example',
};
const totals = { bytes: 0, frames: 0, views: 0, errors: 0, why: '' };
const agent = new http.Agent({ keepAlive: true, maxSockets: 500, localAddress });
let isMeasured = false;
let isOver = false;
/** People whose first socket came up, and when the last of them did. */
let arrived = 0;
let arrivedAt = Date.now();

function failed(why) {
  totals.errors += 1;
  totals.why ||= why;
}

/** The bytes of one request and its answer, counted by what stands in them. */
function post(path, body) {
  const text = JSON.stringify(body);
  const headers = { ...BROWSER, 'content-type': 'text/plain', 'content-length': text.length };
  return new Promise((resolve) => {
    const options = { host: web.split(':')[0], port: web.split(':')[1], agent, method: 'POST' };
    const request = http.request({ ...options, path, headers }, (response) => {
      let bytes = 0;
      response.on('data', (piece) => (bytes += piece.length));
      response.on('end', () => {
        if (response.statusCode !== 200) failed(`${path}: ${response.statusCode}`);
        const head = response.rawHeaders.reduce((sum, word) => sum + word.length + 2, 19);
        if (isMeasured) totals.bytes += request._header.length + text.length + head + bytes;
        resolve();
      });
    });
    request.on('error', (error) => {
      failed(`${path}: ${error.message}`);
      resolve();
    });
    request.end(text);
  });
}

/** How each server wants to be spoken to. */
const PROTOCOLS = {
  ours: {
    path: '/ws/active-users',
    hello: (ws, who) => ws.send(JSON.stringify({ type: 'auth', ...who })),
    beat: (ws) => ws.send(`{"type":"ping","timestamp":${Date.now()}}`),
    // As the SDK, which pings before the daemon does, after 30 s.
    beatMs: 29_000,
    come: () => {},
    // As the SDK does: the close of the socket says that the page goes.
    go: () => {},
    closeCode: PAGE_GONE,
    isFrame: (text) => text.startsWith('{"type":"metrics:update"'),
  },
  reference: {
    path: '/ws/active-users',
    hello: (ws, who) => ws.send(JSON.stringify({ type: 'auth', ...who })),
    beat: (ws, who) => post('/presence/beat', { ...who, timestamp: Date.now() }),
    come: (who) => post('/presence/join', { ...who, timestamp: Date.now() }),
    go: (who) => post('/presence/leave', who),
    isFrame: (text) => text.startsWith('{"type":"metrics:update"'),
  },
  socketio: {
    path: '/socket.io/?EIO=4&transport=websocket',
    hello: (ws) => ws.send('40'),
    beat: (ws) => ws.send('42["beat"]'),
    come: () => {},
    go: () => {},
    isFrame: (text) => text.startsWith('42["metrics:update"'),
    /** engine.io's own conversation. */
    hear: (ws, text, who) => {
      if (text === '2') ws.send('3');
      if (text.startsWith('40')) ws.send(`42["auth",${JSON.stringify(who)}]`);
    },
  },
};
const speak = PROTOCOLS[protocol];

function open(who) {
  const options = { headers: BROWSER, perMessageDeflate: false, localAddress };
  const ws = new WebSocket(`ws://${sockets}${speak.path}`, options);
  ws.on('open', () => {
    ws.base = 0;
    ws.stream = ws._socket;
    if (!isMeasured) ws.base = ws.stream.bytesRead + ws.stream.bytesWritten;
    speak.hello(ws, who);
  });
  ws.on('message', (data) => {
    const text = data.toString('latin1');
    speak.hear?.(ws, text, who);
    if (isMeasured && speak.isFrame(text)) totals.frames += 1;
  });
  // Who goes on before the socket is open closes it: that is no error of the server.
  ws.on('error', (error) => isOver || ws.isLeft || failed(`a socket: ${error.message}`));
  return ws;
}

/** Since it was opened, or since the measurement began. */
const bytesOf = (ws) => (ws.stream ? ws.stream.bytesRead + ws.stream.bytesWritten - ws.base : 0);

/** One person comes; what is returned takes this person to the next page. */
async function live(i) {
  const who = { customerId: 'shop', sessionId: `session-${i}`, tabId: `tab-${i}-0` };
  await speak.come(who);
  let ws = open(who);
  ws.once('open', () => {
    arrived += 1;
    arrivedAt = Date.now();
  });
  let page = 0;
  const beat = () => ws.readyState === 1 && speak.beat(ws, who);
  const { beatMs = BEAT_MS } = speak;
  setTimeout(
    () => {
      beat();
      setInterval(beat, beatMs);
    },
    (i / people) * beatMs,
  );
  const next = async () => {
    if (isOver) return;
    totals.views += 1;
    await speak.go({ ...who });
    const old = ws;
    totals.bytes += bytesOf(old);
    old.removeAllListeners('message');
    old.isLeft = true;
    old.close(speak.closeCode);
    page += 1;
    who.tabId = `tab-${i}-${page}`;
    await speak.come(who);
    ws = open(who);
  };
  return { socket: () => ws, next };
}

/** As fast as the server takes them: a crowd that comes faster only measures its own time-outs. */
const pages = [];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
async function untilThere(isThere) {
  while (!isThere()) {
    const nobodyCan = arrived === 0 && totals.errors >= Math.min(mine, AT_ONCE);
    if (nobodyCan || Date.now() - arrivedAt > STUCK_MS) {
      process.stderr.write(`${arrived} of ${mine} are there; ${totals.errors} errors, first ${totals.why || 'none'}\n`);
      process.exit(1);
    }
    await pause(10);
  }
}
for (let i = 0; i < mine; i += 1) {
  await untilThere(() => i - arrived < AT_ONCE);
  void live(first + i).then((page) => pages.push(page));
}
await untilThere(() => arrived > 0.98 * mine);
process.stdout.write('ready\n');
await new Promise((resolve) => process.stdin.once('data', resolve));
Object.assign(totals, { errors: 0, why: '' });
for (const { socket } of pages) {
  const ws = socket();
  if (ws.stream) ws.base = ws.stream.bytesRead + ws.stream.bytesWritten;
}
isMeasured = true;
for (const [at, { next }] of pages.entries())
  setTimeout(
    () => {
      void next();
      setInterval(() => void next(), PAGE_MS);
    },
    (((at * 7919) % pages.length) / pages.length) * PAGE_MS,
  );
await pause(seconds * 1000);
for (const { socket } of pages) totals.bytes += bytesOf(socket());
isMeasured = false;
isOver = true;
process.stdout.write(`${JSON.stringify(totals)}\n`);
// Who goes now would be measured too: it stays until it is stopped.
