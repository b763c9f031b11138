// Debian's Firefox ESR, headless, by WebDriver BiDi: user contexts are people, windows are their pages.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import WebSocket from 'ws';

import { defer, Process, tempDir, waitFor, within } from '../../integration/harness.mjs';
import { jsonOf, valueOf } from './expression.mjs';
import { descendants, isAlive, kill } from './processes.mjs';
import { Protocol } from './protocol.mjs';

const PROGRAM = process.env.AU_FIREFOX ?? '/usr/bin/firefox-esr';

/** Beside those that Firefox sets by itself for automation. */
const PREFS = {
  // A name that is no secure context, for shops on plain http.
  'network.dns.localDomains': 'shop.test',
  'network.proxy.type': 0,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'services.settings.server': 'data:,nowhere',
  'toolkit.telemetry.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'app.normandy.enabled': false,
  'extensions.systemAddon.update.enabled': false,
  'dom.disable_open_during_load': false,
};

export const engine = {
  name: 'firefox',
  label: 'Firefox',
  programs: [PROGRAM],
  insecureHost: 'shop.test',
  cannot: {
    bfcache: 'Firefox keeps no page that has a socket or holds a lock; going back loads it anew',
    prerender: 'Firefox renders no pages ahead',
    freeze: 'Firefox freezes no tabs on a desktop, and BiDi has no command for it',
  },
  async launch(t) {
    const profile = await tempDir(t);
    const prefs = Object.entries(PREFS).map(
      ([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`,
    );
    await writeFile(path.join(profile, 'user.js'), prefs.join('\n'));
    const args = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port=0'];
    const firefox = new Process(PROGRAM, args, {
      HOME: profile,
      MOZ_CRASHREPORTER_DISABLE: '1',
      MOZ_DISABLE_CONTENT_SANDBOX: '1', // as root in a container
    });
    defer(t, async () => {
      const pids = descendants(firefox.pid).map(({ pid }) => pid);
      firefox.kill('SIGTERM');
      await firefox.waitExit(10_000).catch(() => firefox.kill('SIGKILL'));
      pids.filter(isAlive).forEach(kill);
      await firefox.waitExit();
    });
    const [, url] = await waitFor(
      'Firefox to listen',
      () => /BiDi listening on (ws:\S+)/.exec(firefox.stderr),
      { timeoutMs: 60_000 },
    );
    const protocol = await Protocol.open(new WebSocket(`${url}/session`));
    const { capabilities } = await protocol.send('session.new', { capabilities: {} });
    const browser = new Browser(protocol, firefox);
    browser.version = capabilities.browserVersion;
    await protocol.send('session.subscribe', { events: ['log.entryAdded'] });
    return browser;
  },
};

class Browser {
  #pages = new Map(); // by the id of their top browsing context

  constructor(protocol, process) {
    Object.assign(this, { protocol, process });
    protocol.onEvent = ({ method, params }) => {
      if (method === 'log.entryAdded')
        this.#pages.get(params.source.context)?.messages.push(params.text);
    };
  }

  async person(type = 'window') {
    const { userContext } = await this.protocol.send('browser.createUserContext');
    return new Person(this, userContext, type);
  }

  window() {
    return this.person('tab');
  }

  page(context) {
    const page = new Page(this, context);
    this.#pages.set(context, page);
    return page;
  }
}

class Person {
  constructor(browser, userContext, type) {
    Object.assign(this, { browser, userContext, type });
  }

  send(method, params) {
    return this.browser.protocol.send(method, params);
  }

  async open() {
    const { userContext, first } = this;
    const where = first ? { type: 'tab', referenceContext: first } : { type: 'window' };
    const { context } = await this.send('browsingContext.create', { userContext, ...where });
    if (this.type === 'tab') this.first ??= context;
    return this.browser.page(context);
  }

  async #contexts() {
    const { contexts } = await this.send('browsingContext.getTree', { maxDepth: 0 });
    return contexts
      .filter(({ userContext }) => userContext === this.userContext)
      .map(({ context }) => context);
  }

  async opened(act) {
    const before = await this.#contexts();
    await act();
    const context = await waitFor('another page', async () =>
      (await this.#contexts()).find((it) => !before.includes(it)),
    );
    return this.browser.page(context);
  }

  close() {
    return this.send('browser.removeUserContext', { userContext: this.userContext });
  }
}

class Page {
  errors = []; // not told apart from what Firefox says by itself; the site's pages keep their own
  messages = [];

  constructor(browser, context) {
    Object.assign(this, { browser, context });
  }

  send(method, params) {
    return this.browser.protocol.send(method, { context: this.context, ...params });
  }

  goto(url) {
    return this.send('browsingContext.navigate', { url, wait: 'complete' });
  }

  evaluate(fn, ...args) {
    return this.#evaluateIn(this.context, fn, args);
  }

  async #evaluateIn(context, fn, args) {
    const answer = await this.browser.protocol.send('script.evaluate', {
      expression: jsonOf(fn, args),
      target: { context },
      awaitPromise: true,
    });
    if (answer.type === 'exception') throw new Error(answer.exceptionDetails.text);
    return valueOf(answer.result.value);
  }

  click(selector) {
    return this.evaluate((it) => document.querySelector(it).click(), selector);
  }

  async frame() {
    const { context } = await waitFor('the frame', async () => {
      const tree = await this.browser.protocol.send('browsingContext.getTree', {
        root: this.context,
      });
      return tree.contexts[0].children[0];
    });
    return { evaluate: (fn, ...args) => this.#evaluateIn(context, fn, args) };
  }

  reload() {
    return this.send('browsingContext.reload', { wait: 'complete' });
  }

  back() {
    return this.send('browsingContext.traverseHistory', { delta: -1 });
  }

  forward() {
    return this.send('browsingContext.traverseHistory', { delta: 1 });
  }

  show() {
    return this.send('browsingContext.activate');
  }

  /** As a person does it: the page hears of it. */
  close() {
    return this.send('browsingContext.close', { promptUnload: true });
  }

  /** BiDi does not say which process has the page: all that have pages go. */
  async crash() {
    const content = descendants(this.browser.process.pid).filter(({ command }) =>
      / tab $/.test(command),
    );
    content.forEach(({ pid }) => kill(pid));
    await within(
      'the processes to be gone',
      waitFor('none', () => !content.some(({ pid }) => isAlive(pid))),
    );
  }
}
