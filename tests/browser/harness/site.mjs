// A shop on an origin of its own, whose pages use the SDK as the daemon serves it.
import http from 'node:http';

import { defer } from '../../integration/harness.mjs';

/** What each page keeps of its client, for the tests to read. */
const KEEPER = `
  window.failures = [];
  addEventListener('error', (event) => failures.push('error: ' + event.message));
  addEventListener('unhandledrejection', (event) => failures.push('rejection: ' + event.reason));
  window.shows = [];
  addEventListener('pageshow', (event) => shows.push(event.persisted));
`;

const pages = {
  /** A client from the module, in window.client. */
  '/': ({ sdk, config }) => `
    <script type="module">
      import { ActiveUsersClient } from '${sdk}/client.mjs';
      window.counts = [];
      window.client = new ActiveUsersClient(${config});
      client.onMetrics(({ count }) => { counts.push(count); out.textContent = count; });
      client.onError((error) => (window.lastError = error));
      client.init().then(() => (window.inited = true), (error) => (window.initError = error.message));
    </script>`,
  /** No client: where one can go and come back from. */
  '/plain': () => '<p>another page</p>',
  '/script': ({ sdk, config }) => `
    <script src="${sdk}/client.js" data-customer="${JSON.parse(config).customerId}" data-target="#out"></script>`,
  '/element': ({ sdk, config }) => `
    <script src="${sdk}/client.js"></script>
    <active-users customer="${JSON.parse(config).customerId}">counting…</active-users>`,
  /** The same page in a frame without an origin: no storage, no locks. */
  '/sandbox': ({ query }) => `<iframe sandbox="allow-scripts" src="/?${query}"></iframe>`,
  '/markup': ({ markup }) => markup,
};

/** {url(path, {daemon, config, …}), hang(page)}; gone when the test is over. */
export async function startSite(t, host = '127.0.0.1') {
  const waiting = [];
  const server = http.createServer((request, response) => {
    const { pathname, search, searchParams } = new URL(request.url, 'http://site');
    if (pathname === '/hang') return void waiting.push(response);
    const page = pages[pathname];
    if (!page) return response.writeHead(404).end();
    const values = { ...Object.fromEntries(searchParams), query: search.slice(1) };
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    if (values.csp) response.setHeader('Content-Security-Policy', values.csp);
    response.end(
      `<!doctype html><html lang="en"><title>shop</title><script>${KEEPER}</script>` +
        `<span id="out"></span>${page(values)}`,
    );
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  defer(t, () => {
    server.closeAllConnections();
    server.close();
  });
  const origin = `http://${host}:${server.address().port}`;
  return {
    origin,
    /** Nothing runs in the page until the function returned is called. */
    hang(page) {
      const over = page.evaluate(() => {
        const request = new XMLHttpRequest();
        request.open('GET', '/hang', false);
        request.send();
      });
      return () => {
        for (const response of waiting.splice(0)) response.end();
        return over;
      };
    },
    url(path, { daemon, config = {}, sdk, ...more }) {
      const api = `http://127.0.0.1:${daemon.httpPort}`;
      const query = new URLSearchParams({
        sdk: sdk ?? api,
        config: JSON.stringify({ apiUrl: api, ...config }),
        ...more,
      });
      return `${origin}${path}?${query}`;
    },
  };
}
