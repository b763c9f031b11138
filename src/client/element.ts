// <active-users customer="shop123">: the count as an element. One client serves all elements of a
// page that ask for the same customer.
import {
  ActiveUsersClient,
  type ClientConfig,
  type ConnectionMode,
  type Metrics,
} from './index.js';

const STYLE = `
:host { display: inline-block; font: inherit; color: inherit; }
:host([hidden]) { display: none; }
[part~=base] { display: inline-flex; align-items: baseline; gap: .5em; }
[part~=dot] { align-self: center; inline-size: .55em; block-size: .55em; border-radius: 50%; background: #8a8f98; }
[part~=dot-online] { background: #1a9e5c; }
[role] { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
[part~=count] { font-weight: 600; font-variant-numeric: tabular-nums; }
@media (prefers-reduced-motion: no-preference) { [part~=dot] { transition: background .3s; } }
@media (prefers-color-scheme: dark) { [part~=dot-online] { background: #3fd38a; } }
@media (forced-colors: active) { [part~=dot] { background: GrayText; } [part~=dot-online] { background: Highlight; } }
`;

/** A class to extend even where there is no browser, so that the module can be imported anywhere. */
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

/** Where the daemon is when an element does not say it; the script tag sets its own origin. */
let defaultApiUrl: string | undefined;

/** Screen readers are told of changes at most this often. */
const ANNOUNCE_MS = 30_000;

interface Shared {
  client: ActiveUsersClient;
  users: number;
}
const shared = new Map<string, Shared>();

/** Takes a client for these options; the function returned gives it back. */
function borrow(config: ClientConfig): { client: ActiveUsersClient; giveBack(): void } {
  const key = JSON.stringify(config);
  let entry = shared.get(key);
  if (!entry) {
    entry = { client: new ActiveUsersClient(config), users: 0 };
    shared.set(key, entry);
    entry.client.init().catch((error: unknown) => console.error(String(error)));
  }
  const mine = entry;
  mine.users++;
  return {
    client: mine.client,
    giveBack() {
      mine.users--;
      // Later, since an element that is moved is taken out and put in again at once.
      queueMicrotask(() => {
        if (mine.users > 0 || shared.get(key) !== mine) return;
        shared.delete(key);
        mine.client.destroy();
      });
    },
  };
}

/**
 * Attributes: `customer` (nothing happens without it), `api-url` (default: where the script came
 * from, else the page's origin), `websocket-url`, `storage`, `watch` (be not counted), `label` and
 * `label-one` (the words behind the number), `quiet` (no announcements by screen readers). What stands
 * inside shows until the first number. Parts: `base`, `dot` (and `dot-online`), `count`, `label`.
 */
export class ActiveUsersElement extends Base {
  static observedAttributes = [
    'customer',
    'api-url',
    'websocket-url',
    'storage',
    'watch',
    'label',
    'label-one',
    'quiet',
  ];
  #parts: Record<'base' | 'dot' | 'text' | 'spoken', HTMLElement> | undefined;
  #stop: (() => void) | undefined;
  #metrics: Metrics | null = null;
  /** Runs while nothing more is announced. */
  #pause: ReturnType<typeof setTimeout> | undefined;

  /** The last metrics, or null. */
  get metrics(): Metrics | null {
    return this.#metrics;
  }

  connectedCallback(): void {
    this.#parts ??= this.#build();
    this.#start();
  }

  disconnectedCallback(): void {
    this.#stop?.();
    this.#stop = undefined;
    clearTimeout(this.#pause);
    this.#pause = undefined;
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after || !this.#parts) return;
    const words = name === 'label' || name === 'label-one' || name === 'quiet';
    if (words) this.#render();
    else if (this.isConnected) {
      this.disconnectedCallback();
      // Another customer's number would be a wrong one: what stands inside shows again.
      this.#metrics = null;
      this.#parts.text.replaceChildren(document.createElement('slot'));
      this.#parts.base.removeAttribute('aria-hidden');
      this.#parts.spoken.textContent = '';
      this.#render('offline');
      this.#start();
    }
  }

  #build(): Record<'base' | 'dot' | 'text' | 'spoken', HTMLElement> {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
    // A page's CSP allows a constructed sheet where it would refuse a <style>.
    if ('adoptedStyleSheets' in root) {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      root.adoptedStyleSheets = [sheet];
    } else {
      const style = document.createElement('style');
      style.textContent = STYLE;
      (root as ShadowRoot).append(style);
    }
    const part = (name: string, ...inside: Node[]) => {
      const element = document.createElement('span');
      element.setAttribute('part', name);
      element.append(...inside);
      return element;
    };
    const dot = part('dot');
    const text = part('text', document.createElement('slot'));
    const base = part('base', dot, text);
    const spoken = document.createElement('span');
    root.append(base, spoken);
    return { base, dot, text, spoken };
  }

  #start(): void {
    const customerId = this.getAttribute('customer');
    if (customerId === null) return; // not told yet
    const { client, giveBack } = borrow({
      customerId,
      apiUrl: this.getAttribute('api-url') ?? defaultApiUrl ?? location.origin,
      websocketUrl: this.getAttribute('websocket-url') ?? undefined,
      storage: (this.getAttribute('storage') ?? undefined) as ClientConfig['storage'],
      watch: this.hasAttribute('watch'),
    });
    const unsubscribe = client.subscribe((event) => {
      if (event.type === 'metrics') this.#metrics = event.metrics;
      this.#render(client.getConnectionStatus().mode);
    });
    this.#stop = () => {
      unsubscribe();
      giveBack();
    };
    this.#render();
  }

  #mode: ConnectionMode = 'offline';

  #render(mode = this.#mode): void {
    if (!this.#parts) return;
    const { base, dot, text, spoken } = this.#parts;
    this.#mode = mode;
    // A screen reader has the words of `spoken` instead of those on the screen.
    spoken.setAttribute('role', this.hasAttribute('quiet') ? 'none' : 'status');
    dot.setAttribute('part', mode === 'offline' ? 'dot' : 'dot dot-online');
    if (!this.#metrics) return;
    const { count } = this.#metrics;
    const lang = this.closest('[lang]')?.getAttribute('lang') || undefined;
    const label =
      count === 1
        ? (this.getAttribute('label-one') ?? 'person here')
        : (this.getAttribute('label') ?? 'people here');
    const shown = format(count, lang);
    const [numberPart, labelPart] = this.#words(text);
    if (numberPart.textContent !== shown) numberPart.textContent = shown;
    if (labelPart.textContent !== label) labelPart.textContent = label;
    base.setAttribute('aria-hidden', 'true');
    this.#speak();
  }

  /** Says what is shown, and what changes in the next half minute at its end. */
  #speak(): void {
    if (!this.#parts || this.#pause) return;
    const { text, spoken } = this.#parts;
    if (spoken.textContent === text.textContent) return;
    spoken.textContent = text.textContent;
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#speak();
    }, ANNOUNCE_MS);
  }

  /** The two spans behind the first number, made in place of what stood there until then. */
  #words(text: HTMLElement): [HTMLElement, HTMLElement] {
    let [number, label] = Array.from(text.querySelectorAll<HTMLElement>('[part]'));
    if (!number || !label) {
      number = document.createElement('span');
      number.setAttribute('part', 'count');
      label = document.createElement('span');
      label.setAttribute('part', 'label');
      text.replaceChildren(number, ' ', label);
    }
    return [number, label];
  }
}

/** A page's lang attribute may be no language at all. */
function format(count: number, lang: string | undefined): string {
  try {
    return count.toLocaleString(lang);
  } catch {
    return String(count);
  }
}

/** Makes the element known. Twice is fine, and so is a place without a browser. */
export function defineActiveUsers(options: { name?: string; apiUrl?: string } = {}): void {
  const { name = 'active-users', apiUrl } = options;
  defaultApiUrl = apiUrl ?? defaultApiUrl;
  const registry = globalThis.customElements;
  if (registry && !registry.get(name)) registry.define(name, class extends ActiveUsersElement {});
}
