// The people of one shop, in a process of their own: each has a page with a socket, pings every
// 30 s and goes to the next page once a minute. Arguments: the protocol (ours, reference, socketio),
// host:port of HTTP and of the sockets, how many people, for how many seconds. It prints `ready`
// when all are there, measures from the line that it is sent until the time is over, and prints
// bytes, frames and page views as JSON.
import http from 'node:http';

import WebSocket from 'ws';

const [protocol, web, sockets, ...numbers] = process.argv.slice(2);
const [people, seconds] = numbers.map(Number);
const BEAT_MS = 30_000;
const PAGE_MS = 60_000;
const PAGE_GONE = 4001;
/** People who are coming and are not there yet. */
const AT_ONCE = 200;
/** What a browser sends with each request, as far as a page cannot help it. */
const BROWSER = {
  'user-agent':
    'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
  'accept-encoding': 'gzip, deflate, br, zstd',
  'accept-language': 'en-US,en;q=0.9',
  origin: 'https://shop.example',
};
const totals = { bytes: 0, frames: 0, views: 0, errors: 0 };
const agent = new http.Agent({ keepAlive: true, maxSockets: 500 });
let isMeasured = false;
let isOver = false;
/** Sockets that came up, one for each page view. */
let opened = 0;

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
        if (response.statusCode !== 200) totals.errors += 1;
        const head = response.rawHeaders.reduce((sum, word) => sum + word.length + 2, 19);
        if (isMeasured) totals.bytes += request._header.length + text.length + head + bytes;
        resolve();
      });
    });
    request.on('error', () => {
      totals.errors += 1;
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
  const ws = new WebSocket(`ws://${sockets}${speak.path}`, { headers: BROWSER, perMessageDeflate: false });
  ws.on('open', () => {
    ws.base = 0;
    ws.stream = ws._socket;
    opened += 1;
    if (!isMeasured) ws.base = ws.stream.bytesRead + ws.stream.bytesWritten;
    speak.hello(ws, who);
  });
  ws.on('message', (data) => {
    const text = data.toString('latin1');
    speak.hear?.(ws, text, who);
    if (isMeasured && speak.isFrame(text)) totals.frames += 1;
  });
  // Who goes on before the socket is open closes it: that is no error of the server.
  ws.on('error', () => (totals.errors += isOver || ws.isLeft ? 0 : 1));
  return ws;
}

/** Since it was opened, or since the measurement began. */
const bytesOf = (ws) => (ws.stream ? ws.stream.bytesRead + ws.stream.bytesWritten - ws.base : 0);

const pages = new Set();
async function live(i) {
  const who = { customerId: 'shop', sessionId: `session-${i}`, tabId: `tab-${i}-0` };
  await speak.come(who);
  let ws = open(who);
  pages.add(() => ws);
  let page = 0;
  const beat = () => ws.readyState === 1 && speak.beat(ws, who);
  setTimeout(
    () => {
      beat();
      setInterval(beat, BEAT_MS);
    },
    (i / people) * BEAT_MS,
  );
  const next = async () => {
    if (isOver) return;
    if (isMeasured) totals.views += 1;
    await speak.go({ ...who });
    const old = ws;
    if (isMeasured) totals.bytes += bytesOf(old);
    old.removeAllListeners('message');
    old.isLeft = true;
    old.close(speak.closeCode);
    page += 1;
    who.tabId = `tab-${i}-${page}`;
    await speak.come(who);
    ws = open(who);
  };
  setTimeout(() => {
    void next();
    setInterval(() => void next(), PAGE_MS);
  }, (((i * 7919) % people) / people) * PAGE_MS);
}

/** As fast as the server takes them: a crowd that comes faster only measures its own time-outs. */
for (let i = 0; i < people; i += 1) {
  while (i - opened >= AT_ONCE) await new Promise((resolve) => setTimeout(resolve, 10));
  void live(i);
}
const isUp = () => [...pages].filter((get) => get().readyState === 1).length > 0.98 * people;
while (!isUp()) await new Promise((resolve) => setTimeout(resolve, 100));
totals.errors = 0;
process.stdout.write('ready\n');
await new Promise((resolve) => process.stdin.once('data', resolve));
for (const get of pages) {
  const ws = get();
  if (ws.stream) ws.base = ws.stream.bytesRead + ws.stream.bytesWritten;
}
isMeasured = true;
await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
for (const get of pages) totals.bytes += bytesOf(get());
isMeasured = false;
isOver = true;
process.stdout.write(`${JSON.stringify(totals)}\n`);
process.exit(0);
