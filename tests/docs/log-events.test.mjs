// The page of log events is as the code is, and says what to do about each.
import assert from 'node:assert/strict';
import test from 'node:test';

import { eventsOf, readPage, written } from './log_events.mjs';

test('each line of the log is on the page, with what to do', () => {
  const { page, missing } = written(readPage());
  assert.deepEqual(missing, [], 'docs/reference/log-events.md: write what these mean');
  assert.equal(readPage(), page, 'docs/reference/log-events.md is old: run "make docs"');
});

test('calls are read as the compiler does', () => {
  const code = `log_warn("http", on ? "a (b), c" : "d " "e", LOG_STR("host", f(x, "y")), LOG_INT("n", 1));
    log_info(ops->name(ops), "up", LOG_NONE);`;
  assert.deepEqual(eventsOf(code), [
    { level: 'warn', component: 'http', event: 'a (b), c', fields: ['host', 'n'] },
    { level: 'warn', component: 'http', event: 'd e', fields: ['host', 'n'] },
    { level: 'info', component: 'redis', event: 'up', fields: [] },
  ]);
});
