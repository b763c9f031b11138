// docs/explanation/benchmarks.md and its plot, from the rows of one run.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { UNLIMITED } from '../../integration/harness/limits.mjs';
import { share } from './figures.mjs';
import { plot } from './plot.mjs';
import { versionOf } from './process.mjs';
import { flagsOf } from './servers.mjs';
import { cells, HEAD } from './table.mjs';

function versionOfPeer(name) {
  try {
    const file = new URL(`../peers/node_modules/${name}/package.json`, import.meta.url);
    return JSON.parse(readFileSync(file, 'utf8')).version;
  } catch {
    return 'not installed';
  }
}

function versionOfPackage(name) {
  try {
    const words = ['-W', '-f=${Version}', name];
    return execFileSync('dpkg-query', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return 'not installed';
  }
}

async function machine() {
  const cpu = os.cpus();
  const release = readFileSync('/etc/os-release', 'utf8');
  return [
    ['machine', `${cpu[0].model.trim()}, ${cpu.length} processors, ${Math.round(os.totalmem() / 2 ** 30)} GiB`],
    ['system', `${/PRETTY_NAME="(.*)"/.exec(release)?.[1]}, Linux ${/^\d+\.\d+/.exec(os.release())?.[0]}`],
    ['compiler', `gcc ${await versionOf('cc', ['--version'])}, -O2`],
    ['Debian packages', ['nginx', 'libnginx-mod-nchan', 'redis-server', 'libwebsockets-dev', 'libuv1-dev']
      .map((name) => `${name} ${versionOfPackage(name)}`).join(', ')],
    ['npm packages', `${['fastify', 'ioredis', 'socket.io', 'ws'].map((name) => `${name} ${versionOfPeer(name)}`).join(', ')}, Node ${process.versions.node}`],
  ];
}

const line = (columns) => `| ${columns.join(' | ')} |`;

export async function writePage(folder, rows, seconds) {
  const table = [HEAD, HEAD.map(() => '---'), ...rows.map(cells)].map(line).join('\n');
  const about = [['', ''], ['---', '---'], ...(await machine())].map(line).join('\n');
  writeFileSync(
    path.join(folder, 'benchmarks.md'),
    `# Benchmarks

<!-- Written by \`make bench\`; do not edit. -->

What the daemon takes for its work, beside programs that are known to be fast. One run of
${Math.round(seconds / 60)} minutes on one machine, on ${new Date().toISOString().slice(0, 10)}. Absolute figures say little about
yours, and the machine had other work to do; the ratios are what counts.

${table}

![Each row as a share of its goal](benchmarks.svg)

A dot left of the line meets its goal.

${about}

## How it is measured

- The load is \`au-load\`, on the second processor; the server under test has the first. Everybody gets
  the same bytes over the same number of connections (50), one request at a time on each.
- CPU is the processor time of the server's process, from the kernel, for each request or frame; in
  the Redis rows Redis shares the load's processor, and each process is counted alone.
- Rounds alternate: ours, peer, ours, peer. A figure is the median of its rounds, a ratio the
  median of the rounds' own ratios, so it need not be the quotient of the two figures beside it.
- The crowd is there in the time it really takes: each person has a socket, signs of life every 30 s
  and a page view a minute, which ends the socket and opens another one. Bytes are those of TCP, both
  ways, with the headers that a browser sends. The reference counts every 5 s, as it says; socket.io
  sends one update a second while the number changes.
- A fan-out is one change of a count, made by a join, and the frame that every socket hears of it:
  as often for everybody as the daemon's own pace allows: every 2 s to 5,000 sockets, every 5 s to 18,000.
- Memory is the resident memory that was added, divided by what was opened or joined; the kernel's
  buffers are not in it.
- The longest hold of the loop is the smaller of two bounds: the daemon's own
  \`au_loop_lag_max_seconds\`, since its start and with the filling of its table, and the slowest
  of one \`/health\` a millisecond during the ticks, which takes in the machine's other work.
- A beat with a page has \`page\` and \`visible\`, and its daemon ticks every second. It has more rounds
  than other rows, for its goal is within what a busy machine adds.
- The history is filled by \`tests/load/fill_history.c\`, in a process of its own: minutes of shops of 5 to
  200 people, with 100 sessions a day each. MB are millions of bytes of resident memory.
- First paint is what Chromium says of it, in a context that has seen nothing yet.
- What is measured by the clock (fan-outs, storm, ticks) runs before the machine's other work, with
  \`chrt -r\`, where the user may: on a busy machine the scheduler would be measured instead.
- "Others" send one \`/health\` a millisecond from 20 connections, first while the sockets come, then while
  all of them are cut off at once; their clock starts when the request is due.

## Peers

- **nginx \`return 200\`**: one worker, no log. It parses the same request and answers a constant.
- **bare**: \`tests/load/bare.c\`, an epoll loop that does nothing but \`accept\`, \`recv\` and \`send\`. No
  parser, no time-outs, no table: a floor, not a server.
- **Nchan**: nginx's module for fan-out, one worker, no stored messages. Its sockets are ready with
  the handshake; ours have authenticated and are counted.
- **ws** and **Fastify + ioredis**: the stack of the reference, one process each; a beat is one
  \`SET … EX\` there, and two writes here.
- **redis-benchmark**: the same two writes with the same sizes, 50 in a pipeline, in Redis's own time.
- uWebSockets.js is not measured: the npm registry has no build of it.

## Measure it yourself

<!-- docs-test: not run: it takes minutes -->
\`\`\`sh
make bench                  # all of it; writes this page
make bench BENCH=quick      # under a minute, to see that everything works
make bench ROWS=http,storm  # some of it
\`\`\`

\`au-load\` is installed with the daemon and loads the one you have, on this machine only. Switch the limits off for that, as
the benchmark does:

\`\`\`sh
active-users ${flagsOf(UNLIMITED).join(' ')}
\`\`\`

Then, in another terminal:

\`\`\`sh
au-load beat http://127.0.0.1:3001 --pid $(pgrep -x active-users)
au-load sockets ws://127.0.0.1:3003 --changes-at http://127.0.0.1:3001 --sockets 5000
au-load --help
\`\`\`
`,
  );
  const dots = rows.filter((row) => row.figure).map((row) => ({
    label: row.peer ? `${row.what} / ${row.peer.replaceAll('`', '')}` : row.what,
    share: share(row, row.figure),
  }));
  writeFileSync(path.join(folder, 'benchmarks.svg'), plot(dots));
}
