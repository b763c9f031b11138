// One daemon hands over to the next under load. The order is a scene of its own:
//   overlap  the next one is started, then the first one is stopped
//   restart  the first one stops, then the next one is started, as `systemctl restart` does
import assert from 'node:assert/strict';
import path from 'node:path';

import {
  defer,
  freePort,
  holdSockets,
  spawnDaemon,
  startDaemon,
  startRedis,
  tempDir,
  waitFor,
  waitWhole,
} from '../integration/harness.mjs';
import { Crowd, now } from './crowd.mjs';

export const DRAIN_MS = 3000;
/** Between what a daemon counts and the time that it says. */
const FRAME_MS = 1000;
const OFF = 0.01;

async function optionsOf(t, store) {
  // A busy machine may keep the crowd from answering in time.
  const patient = { 'header-timeout': 60_000, 'ws-auth-timeout': 60_000, 'ws-pong-timeout': 60_000 };
  const options = { drain: DRAIN_MS, 'ema-interval': 1000, ...patient };
  if (store === 'memory') return { ...options, 'state-file': path.join(await tempDir(t), 'state') };
  const redis = await startRedis(t);
  return { ...options, 'redis-url': redis.url };
}

async function end(daemon) {
  daemon.signal('SIGTERM');
  assert.deepEqual(await daemon.exit(), { code: 0, signal: null }, daemon.stderr);
}

/** It serves, or would if the first one did not have the state. */
const bound = (daemon) => daemon.log.some((line) => /^(listening|waits for)/.test(line.event));

/** Sockets that are passed, or ports that each binds for itself. */
async function listenersOf(t, shared, options) {
  if (!shared) return holdSockets(t);
  const ports = [await freePort(), await freePort()];
  Object.assign(options, { 'http-port': ports[0], 'ws-port': ports[1], 'reuse-port': true });
  return { ports, prefix: [] };
}

/** Returns {crowd} and times: the stop `began`, the first one was `gone`, the next one served alone
 * (`ended`), everybody was back (`over`). */
export async function upgrade(t, { store, order, sockets, shared = false }) {
  const options = await optionsOf(t, store);
  const { ports, prefix } = await listenersOf(t, shared, options);
  const first = await startDaemon(t, options, {}, prefix);
  if (store === 'redis') await waitWhole(first);
  const crowd = new Crowd(ports);
  defer(t, () => crowd.stop());
  await crowd.come({ sockets });
  const asked = (n) => waitFor('answers', () => crowd.answers.length >= n);
  await asked(20);

  const next = () => spawnDaemon(t, options, {}, prefix);
  let second;
  if (order === 'overlap') {
    second = next();
    await waitFor('the next to be bound', () => bound(second));
  }
  const began = now();
  await end(first);
  const gone = now();
  if (order === 'restart') second = next();
  await second.ready();
  const ended = now();
  await waitFor('every socket', () => crowd.returns.length >= sockets, { timeoutMs: 60_000 });
  await asked(crowd.answers.length + 20);
  const over = now();
  await crowd.stop();
  return { crowd, began, gone, ended, over };
}

/** How far from the truth the worst of these is, as a share. */
function worst(crowd, said, span) {
  let worst = { off: 0 };
  for (const one of said) {
    const { low, high } = crowd.truth.between(...span(one));
    const off = Math.max(low - one.count, one.count - high, 0) / high;
    if (off > worst.off) worst = { ...one, low, high, off };
  }
  return worst;
}

export const ofAnswers = (crowd) => worst(crowd, crowd.answers, ({ asked, at }) => [asked, at]);
export const ofFrames = (crowd) =>
  worst(crowd, crowd.frames, ({ at }) => [at - FRAME_MS, at + FRAME_MS]);

/** What must hold of every upgrade. */
export function judge({ crowd, ended }, sockets) {
  assert.deepEqual(crowd.failures, []);
  assert.ok(crowd.returns.length >= sockets, `${crowd.returns.length} sockets came back`);
  for (const { closed, back, code, attempt } of crowd.returns) {
    assert.equal(code, 1001);
    assert.equal(attempt, 0, `a socket closed at ${closed} was back at ${back}`);
  }
  assert.ok(ofAnswers(crowd).off <= OFF, JSON.stringify(ofAnswers(crowd)));
  assert.ok(ofFrames(crowd).off <= OFF, JSON.stringify(ofFrames(crowd)));
  assert.ok(crowd.answers.at(-1).at > ended, 'the next one was asked');
}
