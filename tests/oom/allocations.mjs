// The other end of fail_malloc.c: says which allocation of a daemon fails, and where it did.
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';

import { defer, tempDir } from '../integration/harness.mjs';

/** Of struct control. */
const [LEFT, ROW, FAILED, LIVE, CALLS, FRAMES, AT, FILE] = [0, 8, 16, 24, 32, 40, 48, 240];
const [MOST_FRAMES, FILE_BYTES, BYTES] = [24, 64, 4096];

export class Allocations {
  #fd;

  constructor(fd, file) {
    this.#fd = fd;
    this.file = file;
  }

  static async create(t) {
    const file = path.join(await tempDir(t), 'control');
    const fd = openSync(file, 'w+', 0o600);
    defer(t, () => closeSync(fd));
    writeSync(fd, Buffer.alloc(BYTES), 0, BYTES, 0);
    return new Allocations(fd, file);
  }

  #read(at, length) {
    const bytes = Buffer.alloc(length);
    readSync(this.#fd, bytes, 0, length, at);
    return bytes;
  }

  #number(at) {
    return Number(this.#read(at, 8).readBigInt64LE());
  }

  #write(at, value) {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    writeSync(this.#fd, bytes, 0, 8, at);
  }

  /** The n-th from now on fails, and those behind it, `row` in all. */
  arm(n, row = 1) {
    this.#write(LEFT, 0);
    this.#write(ROW, row);
    this.#write(LEFT, n);
  }

  disarm() {
    this.#write(LEFT, 0);
  }

  get failed() {
    return this.#number(FAILED);
  }

  get live() {
    return this.#number(LIVE);
  }

  get calls() {
    return this.#number(CALLS);
  }

  /** The stack of the last one that failed, a line for each frame. */
  where() {
    const lines = [];
    for (let i = 0; i < Math.min(this.#number(FRAMES), MOST_FRAMES); i += 1) {
      const file = this.#read(FILE + i * FILE_BYTES, FILE_BYTES).toString('utf8').split('\0')[0];
      const at = `0x${this.#number(AT + i * 8).toString(16)}`;
      let name = at;
      if (process.env.AU_DAEMON?.endsWith(file) || file.endsWith('active-users'))
        name = execFileSync('addr2line', ['-sfe', process.env.AU_DAEMON, at], { encoding: 'utf8' })
          .trim()
          .replace('\n', ' ');
      lines.push(`${path.basename(file)} ${name}`);
    }
    return lines.join('\n');
  }
}
