// The attacks of rows/limits.mjs in short: counts and ratios, no figures of the wall clock.
import { attackSuite } from './kit/suite.mjs';
import { limits } from './rows/limits.mjs';

attackSuite('limits', limits);
