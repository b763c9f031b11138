// The honest people of kit/honest.mjs: one kept connection an address, a beat a second on each.
import { readFileSync } from 'node:fs';
import net from 'node:net';

import { parseResponse, presenceText } from '../../integration/harness/http.mjs';

const { port, pid, addresses, customerId, forwarded, lateMs } = JSON.parse(process.argv[2]);

const PEOPLE_AN_ADDRESS = 10;
/** A little over a second, so that a person beats a little less often than every ten. */
const PERIOD_MS = 1_050;

const phases = {};
let phase = 'quiet';
let begun = false;
let stopped = false;

/** What the kernel says of the main thread of a process: ms on a core, and ms ready without one. */
function scheduled(process) {
  try {
    const [ran, waited] = readFileSync(`/proc/${process}/schedstat`, 'utf8').split(' ');
    return { ran: Number(ran) / 1e6, waited: Number(waited) / 1e6 };
  } catch {
    return { ran: Infinity, waited: 0 }; // it is gone
  }
}

/** The daemon's own time: it stands still while others have its core. */
const worked = () => scheduled(pid).ran;
/** What others have taken from the daemon and from us. */
const taken = () => scheduled(pid).waited + scheduled('self').waited;

const nothing = () => ({ latencies: [], work: [], status: {}, begun: taken() });

function note(due, status) {
  const kept = (phases[due.phase] ??= nothing());
  kept.latencies.push(performance.now() - due.at);
  kept.work.push(Math.max(0, worked() - due.worked));
  kept.status[status] = (kept.status[status] ?? 0) + 1;
}

class Address {
  #number;
  #turn = 0;
  #socket = null;
  #bytes = Buffer.alloc(0);
  #due = []; // beats not sent yet
  #sent = null;

  constructor(number) {
    this.#number = number;
    const first = (PERIOD_MS / addresses) * number;
    setTimeout(() => {
      setInterval(() => this.#isDue(), PERIOD_MS);
      this.#isDue();
    }, first);
  }

  #isDue() {
    if (stopped) return;
    this.#due.push({ at: performance.now(), worked: worked(), phase });
    this.#go();
  }

  #go() {
    if (this.#sent !== null || this.#due.length === 0) return;
    if (this.#socket === null) this.#connect();
    this.#sent = this.#due.shift();
    const person = this.#turn++ % PEOPLE_AN_ADDRESS;
    const beat = { customerId, sessionId: `h-${this.#number}-${person}`, tabId: 't' };
    const headers = forwarded ? [`X-Forwarded-For: 198.51.100.${this.#number}`] : [];
    this.#socket.write(presenceText('beat', beat, headers));
  }

  #connect() {
    const localAddress = `127.0.9.${1 + this.#number}`;
    const socket = net.connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
    this.#socket = socket;
    this.#bytes = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      const parsed = parseResponse(this.#bytes);
      if (parsed === null || this.#sent === null) return;
      this.#bytes = parsed.rest;
      this.#answered(parsed.response.status);
    });
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      if (this.#sent !== null) this.#answered('closed');
    });
  }

  #answered(status) {
    if (!begun) process.send({ begun: true });
    begun = true;
    note(this.#sent, status);
    this.#sent = null;
    this.#go();
  }

  get waits() {
    return this.#sent !== null || this.#due.length > 0;
  }

  /** What was not answered until now has waited at least so long. */
  end() {
    for (const beat of [this.#sent, ...this.#due]) if (beat) note(beat, 'none');
  }
}

const people = Array.from({ length: addresses }, (_, number) => new Address(number));

function figures({ latencies, work, status, begun: before, ended = taken() }) {
  const sorted = (values) => values.sort((a, b) => a - b);
  const at = (values, share) => values[Math.min(values.length - 1, Math.floor(values.length * share))];
  sorted(latencies);
  return {
    count: latencies.length,
    p50: at(latencies, 0.5),
    p99: at(latencies, 0.99),
    max: latencies.at(-1),
    work: at(sorted(work), 0.99),
    taken: ended - before,
    status,
  };
}

process.on('message', (message) => {
  if (message.phase) {
    if (phases[phase]) phases[phase].ended = taken();
    phase = message.phase;
    phases[phase] ??= nothing();
  }
  if (!message.stop) return;
  stopped = true;
  const giveUpAt = performance.now() + lateMs;
  const polling = setInterval(() => {
    if (people.some((person) => person.waits) && performance.now() < giveUpAt) return;
    clearInterval(polling);
    for (const person of people) person.end();
    const report = {};
    for (const name of ['quiet', 'attack']) report[name] = figures(phases[name] ?? nothing());
    process.send(report, () => process.exit(0));
  }, 20);
});
process.on('disconnect', () => process.exit(0));
