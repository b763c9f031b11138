// Loads the part that tells of pages. tracking-inside.ts goes in its place in the script (build.mjs).
export const loadTracking = () => import('./track.js');
