// The attacks of rows/turns.mjs in short: counts and ratios, no figures of the wall clock.
import { attackSuite } from './kit/suite.mjs';
import { turns } from './rows/turns.mjs';

attackSuite('turns', turns);
