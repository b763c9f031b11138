// The two ways to elect, alone: what each does with what it hears.
import assert from 'node:assert/strict';
import test from 'node:test';

import { Browser, settle } from './harness/browser.mjs';
import { load } from './harness/sdk.mjs';

const { createChannelElection, createLockElection, ELECTION_MS } = await load(
  'modules/lifecycle/election.js',
);

function voter(id, browser = new Browser()) {
  const said = [];
  const changes = [];
  const election = createChannelElection(
    browser.tab().scope,
    id,
    (claim) => said.push(claim),
    (leads) => changes.push(leads),
  );
  return { election, said, changes, clock: browser.clock };
}

/** Starts it and lets it claim, but not win. */
async function claiming(id, browser) {
  const it = voter(id, browser);
  it.election.start();
  await it.clock.advance(ELECTION_MS * 1.5);
  assert.deepEqual(it.said, [{ t: 'claim', id }]);
  return it;
}

test('nobody answers: it claims, waits as long again, and leads with the next term', async () => {
  const { election, changes, clock } = await claiming('b');
  await clock.advance(ELECTION_MS - 1);
  assert.deepEqual(changes, []);
  await clock.advance(1);
  assert.deepEqual(changes, [true]);
  assert.equal(election.term(), 1);
});

test('a leader speaks up in time: it follows, whatever the terms and ids', async () => {
  for (const [leader, term] of [
    ['a', 7],
    ['z', 0],
  ]) {
    const { election, changes, clock } = await claiming('b');
    assert.equal(election.heardLead(leader, term), true);
    await clock.advance(60_000);
    assert.deepEqual(changes, []);
    assert.equal(election.term(), term);
  }
});

test('of two claims the lower id wins; the other waits, and tries again if nobody leads', async () => {
  const lower = await claiming('a');
  lower.election.heardClaim('b');
  await lower.clock.advance(ELECTION_MS);
  assert.deepEqual(lower.changes, [true]);

  const higher = await claiming('c');
  higher.election.heardClaim('b');
  await higher.clock.advance(ELECTION_MS);
  assert.deepEqual(higher.changes, []);
  await higher.clock.advance(ELECTION_MS * 2);
  assert.deepEqual(higher.changes, [true]);
});

const RIVALS = [
  ['a later term', 'z', 2, [true, false]],
  ['the same term and a lower id', 'a', 1, [true, false]],
  ['the same term and a higher id', 'z', 1, [true]],
  ['an earlier term', 'a', 0, [true]],
];
for (const [name, leader, term, expected] of RIVALS)
  test(`two leaders, the other with ${name}`, async () => {
    const { election, changes, clock } = await claiming('m');
    await clock.advance(ELECTION_MS);
    assert.equal(election.heardLead(leader, term), expected.length === 2);
    assert.deepEqual(changes, expected);
    assert.equal(election.term(), Math.max(1, term));
  });

test('stealing counts on from the last term heard of', () => {
  const { election, changes } = voter('m');
  election.heardLead('a', 41);
  election.steal();
  assert.deepEqual(changes, [true]);
  assert.equal(election.term(), 42);
});

test('stopped, it neither claims nor wins', async () => {
  const { election, said, changes, clock } = voter('m');
  election.start();
  election.stop();
  await clock.advance(10_000);
  assert.deepEqual([said, changes], [[], []]);
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
