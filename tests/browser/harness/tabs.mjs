// Chromium by its own protocol, because Playwright holds every page visible and focused: here a tab
// behind another one is hidden, and can be frozen.
import assert from 'node:assert/strict';
import WebSocket from 'ws';

import { defer, Process, tempDir, waitFor } from '../../integration/harness.mjs';
import { EXECUTABLE, FLAGS } from './chromium.mjs';

export class Tabs {
  #socket;
  #lastId = 0;
  #waiting = new Map();

  static async launch(t) {
    const tabs = new Tabs();
    const profile = await tempDir(t);
    const browser = new Process(EXECUTABLE, [
      ...FLAGS,
      '--headless=new',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      'about:blank',
    ]);
    defer(t, async () => {
      tabs.#socket?.close();
      browser.kill('SIGTERM');
      await browser.waitExit();
    });
    const [, url] = await waitFor('Chromium to listen', () =>
      /DevTools listening on (ws:\S+)/.exec(browser.stderr),
    );
    const socket = (tabs.#socket = new WebSocket(url));
    socket.on('message', (text) => {
      const { id, result, error } = JSON.parse(text);
      const waiter = tabs.#waiting.get(id);
      tabs.#waiting.delete(id);
      if (error) waiter?.reject(new Error(error.message));
      else waiter?.resolve(result);
    });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return tabs;
  }

  send(method, params = {}, sessionId) {
    const id = ++this.#lastId;
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }));
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** Opens a tab in front of the others. */
  async open(t, url) {
    const { targetId } = await this.send('Target.createTarget', { url });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const tab = new OneTab(this, targetId, sessionId);
    await waitFor('the client of the tab', () => tab.evaluate('!!window.client'));
    defer(t, async () => {
      if (!tab.closed)
        assert.deepEqual(await tab.evaluate('failures'), [], 'nothing may reach the page');
    });
    return tab;
  }
}

class OneTab {
  closed = false;
  constructor(tabs, targetId, sessionId) {
    Object.assign(this, { tabs, targetId, sessionId });
  }

  async evaluate(expression) {
    const { result } = await this.tabs.send(
      'Runtime.evaluate',
      { expression, awaitPromise: true, returnByValue: true },
      this.sessionId,
    );
    return result.value;
  }

  status() {
    return this.evaluate('client.getConnectionStatus()');
  }

  /** In front: the others of its window are hidden then. */
  show() {
    return this.tabs.send('Target.activateTarget', { targetId: this.targetId });
  }

  setLifecycle(state) {
    return this.tabs.send('Page.setWebLifecycleState', { state }, this.sessionId);
  }

  async close() {
    this.closed = true;
    await this.tabs.send('Target.closeTarget', { targetId: this.targetId });
  }
}
