// What the history takes in the memory of a process: of customers in full, and of more than fit.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { promisify } from 'node:util';

import { compare } from './figures.mjs';
import { Missing } from './process.mjs';
import { FILL_HISTORY } from './servers.mjs';

const run = promisify(execFile);
const SESSIONS_A_DAY = 100;
const DEFAULT_MAX_MB = 256;

export async function history({ scale, note }) {
  if (!existsSync(FILL_HISTORY)) throw new Missing(`${FILL_HISTORY} is not built`);
  const residentMb = async (customers, hours, maxMb) => {
    const words = [customers, hours, SESSIONS_A_DAY, maxMb].map(String);
    return JSON.parse((await run(FILL_HISTORY, words)).stdout).resident_bytes / 1e6;
  };
  const { fullCustomers, fullHours, manyCustomers, manyHours } = scale;
  note('historyFull', compare([await residentMb(fullCustomers, fullHours, 4 * DEFAULT_MAX_MB)]));
  note('historyMany', compare([await residentMb(manyCustomers, manyHours, DEFAULT_MAX_MB)]));
}
