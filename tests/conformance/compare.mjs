// `make conformance`: both suites against our daemon, held to the contract, and beside it against
// nginx (HTTP) and the npm package ws (WebSocket), held to the RFCs alone. Prints where each
// differs. Fails when ours does, or when a peer that is here passes less than nine tenths: then
// the suite would demand what nobody does.
import http from 'node:http';
import { once } from 'node:events';

import { WebSocketServer } from 'ws';

import { Missing } from '../load/bench/process.mjs';
import { startDaemon, startNginx } from '../load/bench/servers.mjs';
import { casesOf, runCases } from './suite.mjs';

const FAIR_SHARE = 0.9;

const at = (url) => {
  const [host, port] = url.split(':');
  return { host, port: Number(port), name: 'localhost' };
};

const running = [];

async function daemon() {
  const server = await startDaemon({
    'header-timeout': 3000,
    'max-connections-ip': 0,
    'new-sessions-ip': 0,
  });
  running.push(() => server.stop());
  return {
    http: { ...at(server.http), path: '/health', post: '/presence/join' },
    websocket: { ...at(server.ws), path: '/ws/active-users' },
  };
}

async function nginx() {
  const server = await startNginx();
  running.push(() => server.stop());
  return { http: { ...at(server.http), path: '/', post: '/' } };
}

/** Takes any message and says nothing: the cases of the RFC need no more. */
async function ws() {
  const server = http.createServer((request, response) => response.writeHead(426).end());
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('error', () => {}));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  running.push(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  });
  return {
    websocket: { host: '127.0.0.1', port: server.address().port, name: 'localhost', path: '/' },
  };
}

async function column(name, start, kind, strict) {
  try {
    const targets = await start();
    const cases = casesOf(kind).filter((test) => strict || !test.contract);
    return { name, kind, results: await runCases(kind, targets[kind], cases, { strict }) };
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    return { name, kind, missing: error.message };
  }
}

function print({ name, kind, results, missing }) {
  if (missing) {
    console.log(`${kind.padEnd(10)} ${name.padEnd(13)} left out: ${missing}`);
    return;
  }
  const faults = results.filter(({ fault }) => fault);
  console.log(
    `${kind.padEnd(10)} ${name.padEnd(13)} ${results.length - faults.length} of ${results.length} cases`,
  );
  for (const { test, fault } of faults)
    console.log(`    ${test.rule.padEnd(15)} ${test.name}: ${fault}`);
}

const share = ({ results }) => results.filter(({ fault }) => !fault).length / results.length;

let failed = false;
try {
  const ours = await daemon();
  for (const kind of ['http', 'websocket']) {
    const peer = kind === 'http' ? ['nginx', nginx] : ['ws', ws];
    const mine = await column('active-users', async () => ours, kind, true);
    const theirs = await column(...peer, kind, false);
    print(mine);
    print(theirs);
    failed ||= share(mine) < 1 || (!theirs.missing && share(theirs) < FAIR_SHARE);
  }
} finally {
  for (const stop of running.reverse()) await stop();
}
process.exit(failed ? 1 : 0);
