// A daemon whose clock is another one, by libfaketime.
import { readdirSync } from 'node:fs';

/** libfaketime of whatever architecture this is. */
function library() {
  for (const dir of readdirSync('/usr/lib'))
    try {
      const found = `/usr/lib/${dir}/faketime/libfaketime.so.1`;
      readdirSync(`/usr/lib/${dir}/faketime`);
      return found;
    } catch {
      // Another folder.
    }
  throw new Error('libfaketime is not installed: make deps');
}

/** The environment of a daemon with this clock, as FAKETIME says it: '+600s', '+0 x60'. */
export function fakeTime(clock) {
  return { LD_PRELOAD: library(), ASAN_OPTIONS: 'verify_asan_link_order=0', FAKETIME: clock };
}

/** The same for the wall clock alone. */
export function fakeWallClock(clock) {
  return { ...fakeTime(clock), FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}
