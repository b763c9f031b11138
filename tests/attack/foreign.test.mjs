// The attacks of rows/foreign.mjs in short: counts and ratios, no figures of the wall clock.
import { attackSuite } from './kit/suite.mjs';
import { foreign } from './rows/foreign.mjs';

attackSuite('foreign', foreign);
