// Options: defaults and checks. Must not know what they are used for.
import type { ClientConfig } from './types.js';

/** The default; of numbers also the least and the most. */
const OPTIONS: Record<string, [fallback: unknown, min?: number, max?: number]> = {
  debug: [false],
  foregroundHeartbeatInterval: [30_000, 100, 86_400_000],
  backgroundHeartbeatInterval: [60_000, 100, 86_400_000],
  heartbeatTimeout: [180_000, 100, 86_400_000],
  pollingInterval: [30_000, 100, 86_400_000],
  emaAlpha: [0.2, 0, 1],
  emaWindowSize: [20, 1, 1000],
  enableWebSocket: [true],
  enablePolling: [true],
  storage: ['local'],
  watch: [false],
};

/** What the daemon takes as an id. */
export const ID = /^[\w.~@=+/-]{1,128}$/;

export type ResolvedConfig = Required<Omit<ClientConfig, 'getToken'>> &
  Pick<ClientConfig, 'getToken'>;

export function fail(message: string): never {
  throw new Error('active-users: ' + message);
}

/** An absolute URL of `scheme`, or of its secure form. */
function urlOf(name: string, value: unknown, scheme: string): string {
  try {
    const { href } = new URL(value as string);
    if (new RegExp(`^${scheme}s?:`).test(href)) return href;
  } catch {
    // said below
  }
  return fail(`${name} must be a URL like ${scheme}s://host, not ${value}`);
}

/**
 * Throws an Error that says what to fix. A number out of its range becomes the nearest in it, and
 * what is no positive number becomes the default.
 */
export function resolveConfig(given: ClientConfig): ResolvedConfig {
  const config = { ...given } as ResolvedConfig;
  const values = config as unknown as Record<string, unknown>;
  for (const [name, [fallback, min, max]] of Object.entries(OPTIONS)) {
    const value = (values[name] ??= fallback) as number;
    if (max) values[name] = value > 0 ? Math.min(Math.max(value, min as number), max) : fallback;
  }
  if (!config.customerId?.match?.(ID))
    fail('customerId must be a string: 1 to 128 of A-Z a-z 0-9 ._~@=+/-');
  config.apiUrl = urlOf('apiUrl', config.apiUrl, 'http').replace(/\/*([?#].*)?$/, '');
  config.websocketUrl = urlOf(
    'websocketUrl',
    config.websocketUrl || config.apiUrl.replace('http', 'ws') + '/ws/active-users',
    'ws',
  );
  if (!config.enableWebSocket && !config.enablePolling)
    fail('enableWebSocket or enablePolling must be on');
  return config;
}
