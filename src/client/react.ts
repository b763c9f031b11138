// React: a hook, and the types of the element in JSX.
import { useEffect, useRef, useState } from 'react';

import { ActiveUsersClient, type ClientConfig, type ListenOptions, type Metrics } from './index.js';

/**
 * Counts this person while the component is there, and gives the newest metrics, or null before the
 * first. All components of a page with the same options share one connection; a route change that
 * takes one out and puts another in changes no count. With `null` for options it does nothing, for
 * example until there is consent.
 */
export function useActiveUsers(
  config: ClientConfig | null,
  options?: ListenOptions,
): Metrics | null {
  const [metrics, setMetrics] = useState<Metrics | null>(null);
  // A function that is made anew for each rendering is no other option.
  const latest = useRef(config);
  latest.current = config;
  const key = config && JSON.stringify(config);
  const whileHidden = options?.whileHidden;
  useEffect(() => {
    const given = latest.current;
    if (!given) return;
    const client = new ActiveUsersClient({
      ...given,
      getToken: given.getToken && (() => latest.current?.getToken?.() ?? ''),
    });
    client.onMetrics(setMetrics, { whileHidden });
    client.init().catch((error: unknown) => console.error(String(error)));
    return () => {
      client.destroy();
      setMetrics(null);
    };
  }, [key, whileHidden]);
  return metrics;
}

/** `<active-users>` in JSX: what HTML gives to every element, and its own attributes. */
export interface ActiveUsersAttributes {
  customer?: string | undefined;
  'api-url'?: string | undefined;
  'websocket-url'?: string | undefined;
  storage?: 'local' | 'none' | undefined;
  'session-domain'?: string | undefined;
  watch?: boolean | '' | undefined;
  'track-page'?: boolean | '' | undefined;
  label?: string | undefined;
  'label-one'?: string | undefined;
  quiet?: boolean | '' | undefined;
}

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'active-users': React.DetailedHTMLProps<React.HTMLAttributes<HTMLElement>, HTMLElement> &
        ActiveUsersAttributes;
    }
  }
}
