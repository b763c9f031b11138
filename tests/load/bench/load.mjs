// Runs au-load and reads what it measured.
import { LOAD, start } from './process.mjs';
import { AU_LOAD } from './servers.mjs';

function wordsOf(flags) {
  return Object.entries(flags)
    .filter(([, value]) => value !== undefined && value !== false)
    .map(([name, value]) => `--${name}=${value}`);
}

/** Starts a mode; figures() waits for its end. One that had failures is an error with its words. */
export function begin(mode, target, flags = {}, { urgent = 0 } = {}) {
  const words = [mode, target, '--json', ...wordsOf(flags)];
  const tool = start(AU_LOAD, words, { processor: LOAD, urgent });
  tool.figures = async () => {
    const status = await tool.exited;
    if (status !== 0) throw new Error(`au-load ${mode}: ${tool.stderr.trim() || `status ${status}`}`);
    return JSON.parse(tool.stdout);
  };
  return tool;
}

export const measure = (...words) => begin(...words).figures();
