// The attacks of rows/process.mjs in short: counts and ratios, no figures of the wall clock.
import { attackSuite } from './kit/suite.mjs';
import { processes } from './rows/process.mjs';

attackSuite('processes', processes);
