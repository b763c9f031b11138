// The attacks of rows/places.mjs in short: counts and ratios, no figures of the wall clock.
import { attackSuite } from './kit/suite.mjs';
import { places } from './rows/places.mjs';

attackSuite('places', places);
