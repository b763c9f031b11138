// Debian's Chromium, by Playwright: contexts are people. Playwright holds every page visible and
// focused, so the tabs that hide each other are in a second browser, driven by Chromium's protocol.
import { chromium } from 'playwright-core';
import WebSocket from 'ws';

import { defer, Process, tempDir, waitFor } from '../../integration/harness.mjs';
import { expressionOf } from './expression.mjs';
import { Protocol } from './protocol.mjs';

const PROGRAM = process.env.AU_CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'],
  // A name that is no secure context, for shops on plain http.
  '--host-resolver-rules=MAP shop.test 127.0.0.1',
];

export const engine = {
  name: 'chromium',
  label: 'Chromium',
  programs: [PROGRAM],
  insecureHost: 'shop.test',
  cannot: {},
  async launch(t) {
    const browser = await chromium.launch({
      executablePath: PROGRAM,
      args: FLAGS,
      ignoreDefaultArgs: ['--disable-back-forward-cache'],
    });
    defer(t, () => browser.close());
    return {
      version: browser.version(),
      person: async () => new Person(await browser.newContext()),
      window: (t) => Tabs.launch(t),
    };
  },
};

class Person {
  constructor(context) {
    this.context = context;
    context.setDefaultTimeout(20_000);
  }

  async open() {
    return new Page(await this.context.newPage());
  }

  async opened(act) {
    const [page] = await Promise.all([this.context.waitForEvent('page'), act()]);
    return new Page(page);
  }

  close() {
    return this.context.close();
  }
}

class Page {
  errors = [];
  messages = [];

  constructor(page) {
    this.page = page;
    page.on('console', (message) => this.messages.push(message.text()));
    page.on('pageerror', (error) => this.errors.push(String(error)));
  }

  goto(url) {
    return this.page.goto(url);
  }

  evaluate(fn, ...args) {
    return this.page.evaluate(expressionOf(fn, args));
  }

  click(selector) {
    return this.page.click(selector);
  }

  async frame() {
    const main = this.page.mainFrame();
    const frame = await waitFor('the frame', () =>
      this.page.frames().find((it) => it !== main && it.url() !== ''),
    );
    return { evaluate: (fn, ...args) => frame.evaluate(expressionOf(fn, args)) };
  }

  reload() {
    return this.page.reload();
  }

  back() {
    return this.page.goBack({ waitUntil: 'commit' });
  }

  forward() {
    return this.page.goForward({ waitUntil: 'commit' });
  }

  /** As a person does it: the page hears of it. */
  close() {
    return this.page.close({ runBeforeUnload: true });
  }

  async crash() {
    const session = await this.page.context().newCDPSession(this.page);
    const crashed = this.page.waitForEvent('crash');
    session.send('Page.crash').catch(() => {}); // answered by nobody
    await crashed;
  }
}

class Tabs {
  static async launch(t) {
    const tabs = new Tabs();
    const profile = await tempDir(t);
    const browser = new Process(PROGRAM, [
      ...FLAGS,
      '--headless=new',
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      'about:blank',
    ]);
    tabs.close = async () => {
      tabs.protocol?.close();
      browser.kill('SIGTERM');
      await browser.waitExit();
    };
    const [, url] = await waitFor('Chromium to listen', () =>
      /DevTools listening on (ws:\S+)/.exec(browser.stderr),
    );
    tabs.protocol = await Protocol.open(new WebSocket(url));
    return tabs;
  }

  async open() {
    const { targetId } = await this.protocol.send('Target.createTarget', { url: 'about:blank' });
    const attach = { targetId, flatten: true };
    const { sessionId } = await this.protocol.send('Target.attachToTarget', attach);
    return new Tab(this.protocol, targetId, sessionId);
  }

  /** A tab in front of the others that nobody drives. */
  async openUndriven(url) {
    await this.protocol.send('Target.createTarget', { url });
  }
}

class Tab {
  errors = [];

  constructor(protocol, targetId, sessionId) {
    Object.assign(this, { protocol, targetId, sessionId });
  }

  send(method, params) {
    return this.protocol.send(method, params, { sessionId: this.sessionId });
  }

  goto(url) {
    return this.send('Page.navigate', { url });
  }

  async evaluate(fn, ...args) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
      expression: expressionOf(fn, args),
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(result.description);
    return result.value;
  }

  show() {
    return this.protocol.send('Target.activateTarget', { targetId: this.targetId });
  }

  freeze() {
    return this.send('Page.setWebLifecycleState', { state: 'frozen' });
  }

  resume() {
    return this.send('Page.setWebLifecycleState', { state: 'active' });
  }

  close() {
    return this.protocol.send('Target.closeTarget', { targetId: this.targetId });
  }
}
