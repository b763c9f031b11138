// The children of a process that a test started: what to kill where a page is to crash.
import { readdirSync, readFileSync } from 'node:fs';

const numbers = () => readdirSync('/proc').filter((name) => /^\d+$/.test(name));

function read(pid, file) {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // gone meanwhile
  }
}

/** Those whose parent, or a parent's parent, is `pid`: [{pid, command}]. */
export function descendants(pid) {
  const parents = new Map(
    numbers().map((it) => [Number(it), Number(read(it, 'stat').split(') ').pop().split(' ')[1])]),
  );
  const found = [pid];
  for (const it of found)
    for (const [child, parent] of parents) if (parent === it) found.push(child);
  return found.slice(1).map((it) => ({
    pid: it,
    command: read(it, 'cmdline').replaceAll('\0', ' '),
  }));
}

export const isAlive = (pid) => !/^(|[ZX] .*)$/s.test(read(pid, 'stat').split(') ').pop());

export function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone meanwhile
  }
}
