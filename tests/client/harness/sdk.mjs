// What is tested: the bundle as it is served, and single modules as tsc makes them.
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const BUILD = process.env.AU_CLIENT ?? path.resolve(here, '../../../build/client');

export const load = (file) => import(pathToFileURL(path.join(BUILD, file)));

export const { ActiveUsersClient } = await load('client.mjs');

export const CONFIG = { customerId: 'shop', apiUrl: 'http://api.test:3001' };

/** A client in a tab, with everything it said in `events`. */
export function clientIn(tab, config = {}) {
  const client = new ActiveUsersClient({ ...CONFIG, ...config }, tab.scope);
  const events = [];
  client.subscribe((event) => events.push(event));
  return {
    client,
    events,
    of: (type) => events.filter((event) => event.type === type),
    get mode() {
      return client.getConnectionStatus().mode;
    },
    get leads() {
      return client.getConnectionStatus().isLeader;
    },
    get count() {
      return client.getMetrics()?.count;
    },
  };
}

/** Starts it and lets it connect. */
export async function startIn(tab, config) {
  const it = clientIn(tab, config);
  it.ready = it.client.init();
  await tab.browser.clock.advance(100);
  return it;
}
