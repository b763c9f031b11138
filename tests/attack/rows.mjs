// Every attack, in the order of the table. A row is {name, what, before, run, more, brief, background}:
// `run` gets {t, short} and returns checks, with figures of the wall clock only when it is not
// short; `before` is what was measured when the attack was first made; `more` rows are kin of the
// others and run when asked for, the `brief` of them in `make test`; a `background` row only waits and runs beside the others.
import { bytes } from './rows/bytes.mjs';
import { foreign } from './rows/foreign.mjs';
import { limits } from './rows/limits.mjs';
import { places } from './rows/places.mjs';
import { processes } from './rows/process.mjs';
import { turns } from './rows/turns.mjs';
import { waits } from './rows/waits.mjs';

export const THEMES = { turns, places, waits, limits, bytes, foreign, processes };
export const ROWS = Object.values(THEMES).flat();
