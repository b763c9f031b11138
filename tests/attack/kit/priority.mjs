// Who comes first on a machine that daemon, people and attackers share, and perhaps others too. Of real
// people and attackers nobody computes on the daemon's machine, so nobody may take its time there.
import { readdirSync } from 'node:fs';
import os from 'node:os';

export const PRIORITY = { people: -15, daemon: -10, flood: 19 };

/** What happens where the user may not raise it, or when it has ended. */
const USUAL = ['EACCES', 'EPERM', 'ESRCH', 'ENOENT'];

/**
 * Of all threads that a process has by now: one waits for another. Where the user may not, all
 * stay as they are, and figures of the clock are worse.
 */
export function setPriority(pid, priority) {
  if (pid === undefined) return; // it did not start
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`))
      os.setPriority(Number(thread), priority);
  } catch (error) {
    if (!USUAL.includes(error.info?.code ?? error.code)) throw error;
  }
}
