// What <script src="…/client.js" data-customer="shop123" data-target="#active-count"> does by itself.
import { ActiveUsersClient, type ClientConfig } from './index.js';

/**
 * Starts a client from the script's data attributes and keeps the count in the target's text.
 * Returns it, or undefined when the script names no customer.
 */
export function autoStart(script: HTMLScriptElement | null): ActiveUsersClient | undefined {
  if (!script?.dataset.customer) return undefined;
  const { customer, target, apiUrl, websocketUrl, storage, watch, debug } = script.dataset;
  const client = new ActiveUsersClient({
    customerId: customer as string,
    // Without either, init() says what is missing.
    apiUrl: apiUrl ?? (script.src && new URL(script.src).origin),
    websocketUrl,
    storage: storage as ClientConfig['storage'],
    watch: watch !== undefined && watch !== 'false',
    debug: debug !== undefined && debug !== 'false',
  });
  // Looked up for each number: the script may stand above its target.
  if (target)
    client.onMetrics(({ count }) => {
      for (const element of document.querySelectorAll(target)) element.textContent = String(count);
    });
  client.init().catch((error: unknown) => console.error(String(error)));
  return client;
}
