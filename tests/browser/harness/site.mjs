// A shop on an origin of its own, whose pages use the SDK as the daemon serves it.
import { readFileSync } from 'node:fs';
import http from 'node:http';

import { defer, waitFor } from '../../integration/harness.mjs';

/** What each page keeps of its client, for the tests to read. */
const KEEPER = `
  window.failures = [];
  addEventListener('error', (event) => failures.push('error: ' + event.message));
  addEventListener('unhandledrejection', (event) => failures.push('rejection: ' + event.reason));
  window.said = [];
  for (const level of ['debug', 'error', 'info', 'log', 'warn']) {
    const say = console[level];
    console[level] = (...words) => (said.push(words.join(' ')), say(...words));
  }
  window.shows = [];
  addEventListener('pageshow', (event) => shows.push(event.persisted));
`;

/** A page of a shop's own host that keeps the same. */
export const kept = (html) => `<!doctype html><script>${KEEPER}</script>${html}`;

const pages = {
  /** A client from the module, in window.client; `start` makes another one. */
  '/': ({ sdk, config, query }) => `
    <a href="?${query.replaceAll('&', '&amp;')}&amp;from=link">next</a>
    <script type="module">
      import { ActiveUsersClient } from '${sdk}/client.mjs';
      window.counts = [];
      window.start = () => {
        window.client = new ActiveUsersClient(${config});
        client.onMetrics(({ count }) => { counts.push(count); out.textContent = count; });
        client.onError((error) => (window.lastError = error));
        client.init().then(() => (window.inited = true), (error) => (window.initError = error.message));
      };
      start();
    </script>`,
  /** A client from the script, which has streams. */
  '/stream': ({ sdk, config }) => `
    <script src="${sdk}/client.js"></script>
    <script>
      window.client = new ActiveUsers.ActiveUsersClient(${config});
      client.onMetrics(({ count }) => (out.textContent = count));
      client.init();
    </script>`,
  /** A client that gets its tokens from the shop's server. */
  '/tokens': ({ sdk, config }) => `
    <script type="module">
      import { ActiveUsersClient } from '${sdk}/client.mjs';
      window.modes = [];
      window.client = new ActiveUsersClient({
        ...${config},
        async getToken() {
          const answer = await fetch('/active-users-token', { method: 'POST' });
          if (!answer.ok) throw new Error('the shop knows no such visitor');
          return answer.text();
        },
      });
      client.onMetrics(({ count }) => (out.textContent = count));
      client.onStatus(({ mode }) => modes.push(mode));
      client.onError((error) => (window.lastError = error));
      client.init();
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
  /** The script without a source, as a plugin that combines scripts leaves it. */
  '/inlined': () => `<script data-customer="a">${readFileSync(SCRIPT, 'utf8').trim()}</script>`,
};

const SCRIPT = new URL('../../../build/client/client.js', import.meta.url);

/**
 * {url(path, {daemon, config, …}), hang(page)}; gone when the test is over. `before` is script that
 * runs first in the page, `sdk` the origin of the SDK where it is not the daemon's, `csp` a policy.
 * `mint()` gives the token that the shop's server has for a visitor; undefined: it refuses.
 */
export async function startSite(t, host = '127.0.0.1', mint = () => undefined) {
  const waiting = new Map(); // requests of pages that hang, by number
  let hanging = 0;
  const server = http.createServer((request, response) => {
    const { pathname, search, searchParams } = new URL(request.url, 'http://site');
    if (pathname === '/hang') return void waiting.set(search, response);
    if (pathname === '/active-users-token') {
      const token = mint();
      return response.writeHead(token ? 200 : 403, { 'Cache-Control': 'no-store' }).end(token);
    }
    const page = pages[pathname];
    if (!page) return response.writeHead(404).end();
    const values = { ...Object.fromEntries(searchParams), query: search.slice(1) };
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    if (values.csp) response.setHeader('Content-Security-Policy', values.csp);
    response.end(
      `<!doctype html><html lang="en"><title>shop</title><script>${KEEPER}${values.before ?? ''}</script>` +
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
    async hang(page) {
      const search = `?${(hanging += 1)}`;
      await page.evaluate((search) => {
        setTimeout(() => {
          const request = new XMLHttpRequest();
          request.open('GET', `/hang${search}`, false);
          request.send();
        });
      }, search);
      await waitFor('the page to hang', () => waiting.has(search));
      return () => waiting.get(search).end();
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
