// <active-users customer="shop123">: the count as an element.
import { ActiveUsersClient, type ClientConfig, type Metrics } from './index.js';
import { noticeFailure, noticeNoAnswer } from './notice.js';
import { format } from './targets.js';

const STYLE = `
:host { display: inline-block; font: inherit; color: inherit; }
:host([hidden]) { display: none; }
[part~=base] { display: inline-flex; align-items: baseline; gap: .5em; }
[part~=dot] { align-self: center; inline-size: .55em; block-size: .55em; border-radius: 50%; background: #8a8f98; }
[part~=dot-online] { background: #1a9e5c; }
[part~=dot-stale] { background: #c98a00; }
[role] { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
[part~=count] { font-weight: 600; font-variant-numeric: tabular-nums; }
@media (prefers-reduced-motion: no-preference) { [part~=dot] { transition: background .3s; } }
@media (prefers-color-scheme: dark) { [part~=dot-online] { background: #3fd38a; } }
@media (forced-colors: active) { [part~=dot] { background: GrayText; } [part~=dot-online] { background: Highlight; } }
`;

/** A class to extend even where there is no browser, so that the module can be imported anywhere. */
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

/** Where the daemon is when an element does not say it; the script tag sets the folder it is in. */
let defaultApiUrl: string | undefined;

/** Screen readers are told of changes at most this often. */
const ANNOUNCE_MS = 30_000;

/** No number yet, up to date, no contact, or a daemon that counts without its store. */
export type ActiveUsersState = 'connecting' | 'online' | 'offline' | 'stale';

type Parts = Record<'base' | 'dot' | 'text' | 'spoken', HTMLElement>;

/**
 * Attributes: `customer` (nothing happens without it), `api-url` (default: where the script came
 * from, else the page's origin), `websocket-url`, `storage`, `watch` (be not counted), `track-page`
 * (tell which page this is), `label` and
 * `label-one` (the words behind the number), `quiet` (no announcements by screen readers). What stands
 * inside shows until the first number. Parts: `base`, `dot`, `count`, `label`; `base` is also a part of
 * the name of its state, and `dot` of `dot-online` or `dot-stale`.
 */
export class ActiveUsersElement extends Base {
  static observedAttributes = [
    'customer',
    'api-url',
    'websocket-url',
    'storage',
    'session-domain',
    'watch',
    'track-page',
    'label',
    'label-one',
    'quiet',
  ];
  #parts: Parts | undefined;
  #internals: ElementInternals | undefined;
  #state: ActiveUsersState = 'connecting';
  #online = false;
  #stop: (() => void) | undefined;
  #metrics: Metrics | null = null;
  /** Runs while nothing more is announced. */
  #pause: ReturnType<typeof setTimeout> | undefined;

  /** The last metrics, or null. */
  get metrics(): Metrics | null {
    return this.#metrics;
  }

  /** How the number stands; also `:state(offline)` in a style sheet, where the browser has that. */
  get state(): ActiveUsersState {
    return this.#state;
  }

  /** In another document now, whose style sheets are its own. */
  adoptedCallback(): void {
    if (this.#parts) applyStyle(this.shadowRoot as ShadowRoot);
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
      this.#online = false;
      this.#render();
      this.#start();
    }
  }

  #build(): Parts {
    const document = this.ownerDocument;
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
    applyStyle(root);
    try {
      this.#internals = this.attachInternals();
    } catch {
      // An old browser, or somebody else has them: there are the parts.
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
    const attribute = (name: string) => this.getAttribute(name) ?? undefined;
    const apiUrl = absolute(attribute('api-url') ?? defaultApiUrl ?? '/', this.baseURI);
    const client = new ActiveUsersClient({
      customerId,
      apiUrl,
      websocketUrl: attribute('websocket-url'),
      storage: attribute('storage') as ClientConfig['storage'],
      sessionDomain: attribute('session-domain'),
      watch: this.hasAttribute('watch'),
      trackPage: this.hasAttribute('track-page'),
    });
    client.subscribe((event) => {
      if (event.type === 'metrics' && !(event.metrics.stale && this.#isWhole()))
        this.#metrics = event.metrics;
      this.#stale = !!client.getMetrics()?.stale;
      this.#online = client.getConnectionStatus().mode !== 'offline';
      this.#render();
    });
    noticeNoAnswer(client, apiUrl, 'add api-url="https://…" to <active-users>');
    client.init().catch((error: unknown) =>
      noticeFailure(error, {
        customerId: 'mend customer="…" of <active-users>',
        apiUrl: 'mend api-url="…" of <active-users>',
      }),
    );
    // The client goes on for an element that is moved, since it is put in again at once.
    this.#stop = () => client.destroy();
    this.#render();
  }

  /** While the daemon counts without its store, the last whole number is nearer to the truth. */
  #isWhole(): boolean {
    return !!this.#metrics && !this.#metrics.stale;
  }

  #stale = false;

  #render(): void {
    if (!this.#parts) return;
    const { base, dot, text, spoken } = this.#parts;
    // A screen reader has the words of `spoken` instead of those on the screen.
    spoken.setAttribute('role', this.hasAttribute('quiet') ? 'none' : 'status');
    if (!this.#metrics) this.#setState('connecting');
    else if (!this.#online) this.#setState('offline');
    else this.#setState(this.#stale ? 'stale' : 'online');
    base.setAttribute('part', `base ${this.#state}`);
    dot.setAttribute('part', this.#online ? `dot dot-${this.#stale ? 'stale' : 'online'}` : 'dot');
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

  #setState(state: ActiveUsersState): void {
    this.#state = state;
    try {
      const { states } = this.#internals as ElementInternals & { states: Set<string> };
      states.clear();
      states.add(state);
    } catch {
      // a browser without custom states
    }
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

/** A path counts from the page, as in every other attribute of HTML. */
function absolute(url: string, base: string): string {
  try {
    return new URL(url, base).href;
  } catch {
    return url; // init() says what is wrong with it
  }
}

/** A page's CSP allows a constructed sheet where it would refuse a <style>. */
function applyStyle(root: ShadowRoot): void {
  try {
    // One made in another document is refused.
    const { CSSStyleSheet } = root.ownerDocument.defaultView as Window & typeof globalThis;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
  } catch {
    if (root.querySelector('style')) return;
    const style = root.ownerDocument.createElement('style');
    style.textContent = STYLE;
    root.append(style);
  }
}

/** Makes the element known. Twice is fine, and so is a place without a browser. */
export function defineActiveUsers(options: { name?: string; apiUrl?: string } = {}): void {
  const { name = 'active-users', apiUrl } = options;
  defaultApiUrl = apiUrl ?? defaultApiUrl;
  const registry = globalThis.customElements;
  if (registry && !registry.get(name)) registry.define(name, class extends ActiveUsersElement {});
}

declare global {
  interface HTMLElementTagNameMap {
    'active-users': ActiveUsersElement;
  }
}
