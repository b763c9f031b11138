// The part that tells of pages, where it is inside already.
import { track } from './track.js';

export const loadTracking = async () => ({ track });
