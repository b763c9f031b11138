// WebKitGTK, Safari's engine: its MiniBrowser on a screen of its own (Xvfb), by WebDriver. The driver
// has one session, and a session is a profile: each person has a driver and a browser.
import {
  defer,
  freePort,
  PATIENCE_MS,
  Process,
  tempDir,
  waitFor,
  within,
} from '../../integration/harness.mjs';
import { jsonOf, valueOf } from './expression.mjs';
import { descendants, isAlive, kill } from './processes.mjs';

const PROGRAM = process.env.AU_WEBKIT ?? '/usr/bin/WebKitWebDriver';
const XVFB = '/usr/bin/Xvfb';

/** A browser starts within it, however busy the machine is. */
const START_MS = 60_000;

export const engine = {
  name: 'webkit',
  label: 'WebKitGTK',
  programs: [PROGRAM, XVFB],
  // No secure context here, and nobody has to resolve it: 127.0.0.1 as IPv6 has it.
  insecureHost: '[::ffff:127.0.0.1]',
  cannot: {
    console: 'WebDriver does not tell what is said on the console',
    'close 1013':
      'WebKitGTK 2.50 tells the page 1006 here, by its HTTP library; Safari has another one',
    prerender: 'WebKit renders no pages ahead',
    freeze: 'WebKit freezes no tabs, and WebDriver has no command for it',
    hang: 'windows of MiniBrowser share one process: a page that hangs stops the others as well',
    hide: 'WebDriver opens a tab behind the first one and cannot bring it to the front',
  },
  async launch(t) {
    const home = await tempDir(t);
    const args = ['-displayfd', '1', '-screen', '0', '1024x768x24', '-nolisten', 'tcp'];
    const screen = new Process(XVFB, args);
    defer(t, async () => {
      screen.kill('SIGTERM');
      await screen.waitExit();
    });
    const [display] = await waitFor('Xvfb', () => /^\d+(?=\n)/.exec(screen.stdout));
    const env = {
      DISPLAY: `:${display}`,
      GDK_BACKEND: 'x11',
      GSETTINGS_BACKEND: 'memory',
      HOME: home,
      LC_ALL: 'en_US.UTF-8', // a visitor has a language; numbers of "C" have no commas
      LIBGL_ALWAYS_SOFTWARE: '1',
      NO_AT_BRIDGE: '1',
      WEBKIT_DISABLE_COMPOSITING_MODE: '1',
      XDG_RUNTIME_DIR: home,
    };
    const browser = { person: () => Person.start(env) };
    const first = await browser.person();
    browser.version = first.version;
    await first.close();
    return browser;
  },
};

class Person {
  #last = Promise.resolve();
  #current;

  static async start(env) {
    const person = new Person();
    const port = await freePort();
    person.url = `http://127.0.0.1:${port}`;
    person.driver = new Process(PROGRAM, ['-p', String(port)], env);
    try {
      await person.#begin();
    } catch (error) {
      person.crashed = true; // no session to end
      await person.close();
      throw error;
    }
    return person;
  }

  async #begin() {
    await waitFor('WebKitWebDriver', async () => (await fetch(`${this.url}/status`)).ok);
    const { sessionId, capabilities } = await this.send(
      'POST',
      '/session',
      {
        capabilities: {
          alwaysMatch: { browserName: 'MiniBrowser', timeouts: { script: PATIENCE_MS } },
        },
      },
      START_MS,
    );
    this.version = capabilities.browserVersion;
    this.url += `/session/${sessionId}`;
    this.spare = this.#current = await this.send('GET', '/window');
  }

  // A driver of WebKitGTK 2.54 refuses the text/plain that fetch would say by itself.
  async send(method, path, body, timeoutMs) {
    const request = body
      ? { method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
      : { method };
    const response = await within(`${method} ${path}`, fetch(this.url + path, request), timeoutMs);
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  }

  /** Commands go to the current window, so it is chosen anew, and one at a time is under way. */
  inWindow(handle, act) {
    const mine = this.#last.then(async () => {
      if (this.#current !== handle) {
        await this.send('POST', '/window', { handle });
        this.#current = handle;
      }
      return act();
    });
    this.#last = mine.catch(() => {});
    return mine;
  }

  forgetWindow() {
    this.#current = null;
  }

  /** The window that came with the session stays: without one it would end. */
  async open() {
    const { handle } = await this.inWindow(this.spare, () =>
      this.send('POST', '/window/new', { type: 'window' }),
    );
    return new Page(this, handle);
  }

  async opened(act) {
    const before = await this.send('GET', '/window/handles');
    await act();
    const handle = await waitFor('another page', async () =>
      (await this.send('GET', '/window/handles')).find((it) => !before.includes(it)),
    );
    return new Page(this, handle);
  }

  get pids() {
    return descendants(this.driver.pid);
  }

  async close() {
    const { pids } = this;
    const left = () => pids.filter(({ pid }) => isAlive(pid));
    // A driver whose page was killed waits for it; what is left is killed first, for the driver to reap.
    if (this.crashed) {
      left().forEach(({ pid }) => kill(pid));
      await waitFor('its browser to be gone', () => left().length === 0);
      this.driver.kill('SIGKILL');
    } else {
      await this.send('DELETE', '');
      this.driver.kill('SIGTERM');
    }
    await this.driver.waitExit();
    await waitFor('MiniBrowser to be gone', () => left().length === 0, { timeoutMs: 3000 }).catch(
      () => left().forEach(({ pid }) => kill(pid)),
    );
  }
}

class Page {
  errors = [];

  constructor(person, handle) {
    Object.assign(this, { person, handle });
  }

  send(method, path, body) {
    return this.person.inWindow(this.handle, () => this.person.send(method, path, body));
  }

  goto(url) {
    return this.send('POST', '/url', { url });
  }

  evaluate(fn, ...args) {
    return this.person.inWindow(this.handle, () => this.#evaluate(fn, args));
  }

  async #evaluate(fn, args) {
    const { json, error } = await this.person.send('POST', '/execute/async', {
      script: `const done = arguments[0];
        ${jsonOf(fn, args)}.then((json) => done({ json }), (error) => done({ error: String(error) }));`,
      args: [],
    });
    if (error) throw new Error(error);
    return valueOf(json);
  }

  /** A real click: only such a one may open a window. */
  click(selector) {
    return this.person.inWindow(this.handle, async () => {
      const query = { using: 'css selector', value: selector };
      const element = await this.person.send('POST', '/element', query);
      await this.person.send('POST', `/element/${Object.values(element)[0]}/click`, {});
    });
  }

  async frame() {
    const evaluate = (fn, ...args) =>
      this.person.inWindow(this.handle, async () => {
        await this.person.send('POST', '/frame', { id: 0 });
        try {
          return await this.#evaluate(fn, args);
        } finally {
          await this.person.send('POST', '/frame', { id: null });
        }
      });
    await waitFor('the frame', () => evaluate('document.readyState === "complete"'));
    return { evaluate };
  }

  reload() {
    return this.send('POST', '/refresh', {});
  }

  back() {
    return this.send('POST', '/back', {});
  }

  forward() {
    return this.send('POST', '/forward', {});
  }

  async close() {
    await this.send('DELETE', '/window');
    this.person.forgetWindow();
  }

  /** WebDriver does not say which process has the page: all that have pages of this person go. */
  async crash() {
    this.person.crashed = true;
    const pages = this.person.pids.filter(({ command }) => /WebKitWebProcess/.test(command));
    pages.forEach(({ pid }) => kill(pid));
    await waitFor('the processes to be gone', () => !pages.some(({ pid }) => isAlive(pid)));
  }
}
