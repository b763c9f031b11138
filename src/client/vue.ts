// Vue: a composable.
import {
  onMounted,
  onScopeDispose,
  type MaybeRefOrGetter,
  type ShallowRef,
  shallowRef,
  toValue,
  watch,
} from 'vue';

import { ActiveUsersClient, type ClientConfig, type ListenOptions, type Metrics } from './index.js';

/**
 * Counts this person while the component is there, and gives the newest metrics, or null before the
 * first. All components of a page with the same options share one connection. With `null` for
 * options it does nothing, for example until there is consent.
 */
export function useActiveUsers(
  config: MaybeRefOrGetter<ClientConfig | null>,
  options?: ListenOptions,
): Readonly<ShallowRef<Metrics | null>> {
  const metrics = shallowRef<Metrics | null>(null);
  let client: ActiveUsersClient | undefined;
  const stop = () => {
    client?.destroy();
    client = undefined;
    metrics.value = null;
  };
  // Not on a server, where nothing is mounted.
  onMounted(() =>
    watch(
      () => JSON.stringify(toValue(config)),
      () => {
        stop();
        const given = toValue(config);
        if (!given) return;
        client = new ActiveUsersClient(given);
        client.onMetrics((next) => (metrics.value = next), options);
        client.init().catch((error: unknown) => console.error(String(error)));
      },
      { immediate: true },
    ),
  );
  onScopeDispose(stop);
  return metrics;
}
