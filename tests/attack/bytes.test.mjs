// The attacks of rows/bytes.mjs in short: counts and ratios, no figures of the wall clock.
import { attackSuite } from './kit/suite.mjs';
import { bytes } from './rows/bytes.mjs';

attackSuite('bytes', bytes);
