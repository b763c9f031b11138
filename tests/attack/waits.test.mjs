// The attacks of rows/waits.mjs in short: counts and ratios, no figures of the wall clock.
import { attackSuite } from './kit/suite.mjs';
import { waits } from './rows/waits.mjs';

attackSuite('waits', waits);
