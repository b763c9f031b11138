// Options: defaults and checks. Must not know what they are used for.
import type { ClientConfig } from './types.js';
import { textOf } from './utils/text.js';

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
  trackPage: [false],
  sessionDomain: [''],
};

/** What the daemon takes as an id. */
const ID = /^[\w.~@=+/-]{1,128}$/;

/** What is an id, as it is. */
export const idOf = (value: unknown) =>
  ID.test(textOf(value) ?? '') ? (value as string) : undefined;

export type ResolvedConfig = { [K in keyof ClientConfig]-?: NonNullable<ClientConfig[K]> } & {
  getToken: ClientConfig['getToken'];
};

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
 * Throws an Error that says what to fix. Numbers are clamped to their range; other invalid numbers
 * become the default. The same options give the same text in JSON. hostname: the page's.
 */
export function resolveConfig(given: ClientConfig, hostname?: string): ResolvedConfig {
  const { customerId, apiUrl, websocketUrl, getToken } = given ?? {};
  const values: Record<string, unknown> = {};
  for (const [name, [fallback, min, max]] of Object.entries(OPTIONS)) {
    const value = (values[name] = given?.[name as keyof ClientConfig] ?? fallback) as number;
    if (max) values[name] = value > 0 ? Math.min(Math.max(value, min as number), max) : fallback;
  }
  const config = { ...values, customerId, getToken } as ResolvedConfig;
  if (!idOf(customerId)) fail('customerId must be a string like ' + ID);
  config.apiUrl = urlOf('apiUrl', apiUrl, 'http').replace(/\/*([?#].*)?$/, '');
  config.websocketUrl = urlOf(
    'websocketUrl',
    websocketUrl || config.apiUrl.replace('http', 'ws') + '/ws/active-users',
    'ws',
  );
  if (!config.enableWebSocket && !config.enablePolling)
    fail('needs enableWebSocket or enablePolling');
  if (config.sessionDomain && hostname && !`.${hostname}`.endsWith('.' + config.sessionDomain))
    fail(`sessionDomain must be ${hostname} or above`);
  return config;
}
