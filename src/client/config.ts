// Options: defaults and checks. Must not know what they are used for.
import type { ClientConfig } from './types.js';

const DEFAULTS = {
  debug: false,
  foregroundHeartbeatInterval: 30_000,
  backgroundHeartbeatInterval: 60_000,
  heartbeatTimeout: 180_000,
  emaAlpha: 0.2,
  emaWindowSize: 20,
  pollingInterval: 30_000,
  enableWebSocket: true,
  enablePolling: true,
  storage: 'local' as 'local' | 'none',
  watch: false,
};

/** What the daemon takes as an id. */
export const ID = /^[\w.~@=+/-]{1,128}$/;

export type ResolvedConfig = typeof DEFAULTS &
  Pick<ClientConfig, 'customerId' | 'apiUrl' | 'getToken'> & { websocketUrl: string };

export function fail(message: string): never {
  throw new Error('active-users: ' + message);
}

/** An absolute URL of `scheme`, or of its secure form. */
function urlOf(name: string, value: unknown, scheme: string): string {
  try {
    const url = new URL(value as string);
    if ([scheme + ':', scheme + 's:'].includes(url.protocol)) return url.href;
  } catch {
    // said below
  }
  return fail(`${name} must be a URL like ${scheme}s://host, not ${value}`);
}

/** Throws an Error that says what to fix. Numbers that are no positive number become defaults. */
export function resolveConfig(given: ClientConfig): ResolvedConfig {
  const config = { ...given } as ResolvedConfig;
  // A default stands for undefined, null, and for a number that cannot be.
  const values = config as unknown as Record<string, unknown>;
  for (const [name, fallback] of Object.entries(DEFAULTS)) {
    const value = values[name];
    if (value == null || (typeof fallback === 'number' && !((value as number) > 0)))
      values[name] = fallback;
  }
  if (!ID.test(config.customerId ?? ''))
    fail('customerId must be 1 to 128 of A-Z a-z 0-9 ._~@=+/-');
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
