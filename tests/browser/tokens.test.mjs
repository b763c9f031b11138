// A shop that gives its visitors tokens (docs/howto/tokens.md): who is counted, and what becomes of a page
// whose token ends.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import {
  aBeat,
  freshId,
  inMs,
  mint,
  SECRET,
  Socket,
  startDaemon,
  tempDir,
  waitFor,
} from '../integration/harness.mjs';
import { inEngines } from './harness/engines.mjs';
import { openSockets, openTab, person, status, waitMode, waitShown } from './harness/pages.mjs';
import { startSite } from './harness/site.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
/** Of a token; the SDK replaces it after four fifths. */
const LIFE_MS = 6000;
/** Where it must be in time: a busy machine has the last fifth for that. */
const LONG_LIFE_MS = 25_000;

inEngines('tokens', async (test, { browser, shared }) => {
  /** A shop whose server mints what `claims` gives; while that gives nothing it refuses. */
  const open = async (t, { claims, token, config, lifeMs = LIFE_MS, ...options } = {}) => {
    const daemon = await startDaemon(t, {
      'token-secret': SECRET,
      'presence-ttl': 30,
      'disconnect-grace': 500,
      ...options,
    });
    const shop = { customerId: freshId(), minted: 0, refuses: false, ...claims };
    const site = await startSite(t, '127.0.0.1', () => {
      shop.minted += 1;
      if (shop.refuses) return undefined;
      return token?.() ?? mint({ customerId: shop.customerId, exp: inMs(lifeMs) });
    });
    const visit = async () =>
      openTab(
        t,
        await person(t, browser),
        site.url('/tokens', { daemon, config: { customerId: shop.customerId, ...config } }),
      );
    return { daemon, shop, visit };
  };

  for (const [mode, config] of [
    ['websocket', {}],
    ['polling', { enableWebSocket: false }],
  ])
    test(`by ${mode}: visitors of a shop that mints as docs/howto/tokens.md says are counted, a forger is not`, async (t) => {
      const docs = await readFile(path.join(here, '../../docs/howto/tokens.md'), 'utf8');
      const script = path.join(await tempDir(t), 'mint.mjs');
      await writeFile(script, docs.match(/```js\n([\s\S]*?)```/)[1]);
      const token = () =>
        spawnSync(process.execPath, [script], { env: { AU_SECRET: SECRET } }).stdout.toString().trim();
      const { daemon, shop, visit } = await open(t, { token, config, claims: { customerId: 'shop123' } });
      const { customerId } = shop;
      const page = await visit();
      await waitShown(page, 1);
      await waitMode(page, mode);
      // By a script, and by another page of the same browser with a token of its own making.
      for (const forged of [undefined, mint({ customerId }, { secret: SECRET + '!' })]) {
        const answer = await daemon.post('join', aBeat({ customerId, token: forged }));
        assert.equal(answer.status, 401, answer.text);
        const seen = await page.evaluate(
          (url, body) => fetch(url, { method: 'POST', body }).then(({ status }) => status),
          `http://127.0.0.1:${daemon.httpPort}/presence/join`,
          JSON.stringify(aBeat({ customerId, token: forged })),
        );
        assert.equal(seen, 401);
      }
      const another = await visit();
      await waitShown(another, 2);
      assert.equal(await daemon.count(customerId), 2);
      await another.evaluate(() => client.destroy());
      await daemon.waitCount(customerId, 1);
    });

  test('a token that ends in mid-socket is replaced in time: the person is there all along', async (t) => {
    const { daemon, shop, visit } = await open(t, { lifeMs: LONG_LIFE_MS });
    const page = await visit();
    await waitShown(page, 1);
    await page.evaluate(() => void (modes.length = 0));
    const watch = await watchCountWithToken(t, daemon, shop.customerId);
    const opened = await openSockets(daemon);
    await waitFor('two more tokens', () => shop.minted >= 3, { timeoutMs: 80_000 });
    await waitMode(page, 'websocket');
    assert.deepEqual(await page.evaluate(() => modes.filter((mode) => mode !== 'websocket')), []);
    assert.equal(await openSockets(daemon), opened);
    assert.deepEqual([...new Set(watch.updates.map(({ count }) => count))], [1]);
    assert.equal((await daemon.samples()).get('au_tokens_expired_total'), 0);
    assert.equal(await page.evaluate(() => window.lastError), undefined);
  });

  test('when getToken fails the person goes, the status and the error say why, and it heals', async (t) => {
    const { daemon, shop, visit } = await open(t);
    const page = await visit();
    await waitShown(page, 1);
    shop.refuses = true;
    await daemon.waitCount(shop.customerId, 0);
    await waitMode(page, 'offline');
    const error = await page.evaluate(() => window.lastError);
    assert.equal(error.code, 'token');
    assert.match(error.message, /the shop knows no such visitor/);
    assert.equal((await status(page)).isLeader, true);
    shop.refuses = false;
    await daemon.waitCount(shop.customerId, 1);
    await waitMode(page, 'websocket');
  });

  async function watchCountWithToken(t, daemon, customerId) {
    const socket = await Socket.join(t, daemon.wsPort, {
      customerId,
      token: mint({ customerId, exp: inMs(600_000) }),
    });
    await socket.update();
    return socket;
  }
});
