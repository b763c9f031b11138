// The two ways to stand, alone: what each does with what it hears.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Browser, settle } from './harness/browser.mjs';
import { load } from './harness/sdk.mjs';

const { createLockElection, createVote, ELECTION_MS } = await load('modules/lifecycle/election.js');

/** It stands; the harness's random number is 0.5, so its time is 1.5 times ELECTION_MS. */
function standing(id) {
  const browser = new Browser();
  const changes = [];
  const vote = createVote(browser.tab().scope, id, (leads) => changes.push(leads));
  vote.start();
  return { vote, changes, clock: browser.clock };
}

test('nobody answers: it leads', async () => {
  const { changes, clock } = standing('b');
  await clock.advance(ELECTION_MS * 1.5 - 1);
  assert.deepEqual(changes, []);
  await clock.advance(1);
  assert.deepEqual(changes, [true]);
});

test('a lower id is there: it waits as long again, and leads if still nobody does', async () => {
  const { vote, changes, clock } = standing('b');
  vote.heard('a');
  await clock.advance(ELECTION_MS * 2.5 - 1);
  assert.deepEqual(changes, []);
  await clock.advance(1);
  assert.deepEqual(changes, [true]);
});

test('a higher id is there: it does not wait for that', async () => {
  const { vote, changes, clock } = standing('b');
  vote.heard('c');
  await clock.advance(ELECTION_MS * 1.5);
  assert.deepEqual(changes, [true]);
});

test('stopped, as by a leader’s word, it stands no more, whoever is heard', async () => {
  const { vote, changes, clock } = standing('b');
  vote.stop();
  vote.heard('a');
  await clock.advance(10_000);
  assert.deepEqual(changes, []);
});

test('stealing wins at once, and once', async () => {
  const { vote, changes, clock } = standing('b');
  vote.steal();
  await clock.advance(10_000);
  assert.deepEqual(changes, [true]);
});

test('locks: queued, granted, stolen, queued again', async () => {
  const browser = new Browser();
  const stand = (tab) => {
    const changes = [];
    const election = createLockElection(
      tab.scope.navigator.locks,
      'x',
      (leads) => changes.push(leads),
      () => changes.push('refused'),
    );
    return { election, changes };
  };
  const [one, two] = [stand(browser.tab()), stand(browser.tab())];
  one.election.start();
  two.election.start();
  await settle();
  assert.deepEqual([one.changes, two.changes], [[true], []]);
  two.election.steal();
  await settle();
  assert.deepEqual([one.changes, two.changes], [[true, false], [true]]);
  two.election.stop();
  await settle();
  assert.deepEqual([one.changes, two.changes], [[true, false, true], [true]]);
  one.election.stop();
  await settle();
  assert.equal(browser.locks.held.size + browser.locks.queue.length, 0);
});
