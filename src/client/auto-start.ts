// What <script src="…/client.js" data-customer="shop123" data-target="#active-count"> does by itself.
import { ActiveUsersClient, type ClientConfig } from './index.js';
import { notice, noticeFailure, noticeNoAnswer } from './notice.js';
import { createTargets } from './targets.js';

type Tag = HTMLScriptElement;

/** A client that a script tag has started. */
interface Started {
  script: Tag;
  body: HTMLElement | null;
  client: ActiveUsersClient;
  stop(): void;
}

/** Of this page, by the attributes of the tag; Turbo and htmx run the same tag on each visit. */
const PAGE = Symbol.for('active-users.tags:1');

/** Base URL of the daemon that a script came from: the folder it is in. */
export function baseOf(script: Tag | null): string | undefined {
  try {
    return script?.src ? new URL('.', script.src).href : undefined;
  } catch {
    return undefined; // a blob: or data: URL has no folder
  }
}

/**
 * The tag that this script is from. A module and a loader have no current one, and a bundle has the
 * wrong one; then it is the only one that names a customer.
 */
export function findTag(document: Document): Tag | null {
  const current = document.currentScript as Tag | null;
  if (current && 'customer' in current.dataset) return current;
  const tags = document.querySelectorAll<Tag>('script[data-customer]');
  const ours = [...tags].filter((tag) => !tag.src || /client\.js/.test(tag.src));
  return ours.length === 1 ? (ours[0] as Tag) : current;
}

/** Starts a client from the tag's attributes; undefined when the tag names no customer. */
export function autoStart(script: Tag | null): ActiveUsersClient | undefined {
  if (!script || !('customer' in script.dataset)) {
    noticeNothing(script);
    return undefined;
  }
  const page = globalThis as unknown as Record<symbol, Map<string, Started>>;
  const started = (page[PAGE] ??= new Map());
  const name = JSON.stringify([script.src, { ...script.dataset }]);
  const before = started.get(name);
  if (before) {
    before.script = script;
    before.body = document.body;
    return before.client;
  }
  const after = start(script);
  for (const [other, it] of started)
    // The body it belonged to is gone, and the tag with it.
    if (!it.script.isConnected && it.body && it.body !== document.body) {
      started.delete(other);
      it.stop();
    }
  started.set(name, after);
  return after.client;
}

const isOn = (value: string | undefined) => value !== undefined && value !== 'false';

function start(script: Tag): Started {
  const { customer, target, show, apiUrl, websocketUrl, storage, watch, debug, sessionDomain, trackPage } =
    script.dataset;
  const base = baseOf(script);
  const url = apiUrl === undefined ? base : absolute(apiUrl);
  const client = new ActiveUsersClient({
    customerId: customer as string,
    // Without either, init() says that it is missing.
    apiUrl: url as string,
    websocketUrl,
    storage: storage as ClientConfig['storage'],
    sessionDomain,
    watch: isOn(watch),
    debug: isOn(debug),
    trackPage: isOn(trackPage),
  });
  let stop = () => client.destroy();
  try {
    const targets = createTargets(document, { target, show, words: script.dataset });
    client.onMetrics((metrics) => {
      targets.show(metrics);
      if (target && document.readyState === 'complete' && !targets.found())
        notice(`no element matches data-target="${target}" so far`);
    });
    stop = () => {
      targets.stop();
      client.destroy();
    };
  } catch {
    notice(`data-target="${target}" or data-show="${show}" is no selector`);
  }
  noticeNoAnswer(client, url ?? '', 'add data-api-url="https://…" to the script tag');
  client.init().catch((error: unknown) =>
    noticeFailure(error, {
      customerId: 'mend data-customer="…" of the script tag',
      apiUrl: 'add data-api-url="https://…", the daemon\'s address, to the script tag',
      websocketUrl: 'mend data-websocket-url',
      sessionDomain: 'mend data-session-domain',
    }),
  );
  return { script, body: document.body, client, stop };
}

/** A path counts from the page, as in every other attribute of HTML. */
function absolute(url: string): string {
  try {
    return new URL(url, document.baseURI).href;
  } catch {
    return url; // init() says what is wrong with it
  }
}

/** Attributes that a cache or an optimiser has taken away leave a page that counts nobody. */
function noticeNothing(script: Tag | null): void {
  const check = () => {
    const page = globalThis as unknown as Record<symbol, { runs: Map<string, unknown> }>;
    const clients = page[Symbol.for('active-users:1')]?.runs.size;
    if (clients || document.querySelector('active-users')) return;
    notice(
      'this page counts nobody yet: ' +
        (script
          ? 'the script tag has no data-customer="…" (an optimiser may have taken it away)'
          : 'the script does not find its own tag (a module, a loader or a bundle), so add ' +
            'data-customer="…" and data-api-url="https://…" to exactly one script tag') +
        ', there is no <active-users customer="…"> element, and no client was made.',
    );
  };
  if (document.readyState === 'complete') setTimeout(check);
  else addEventListener('load', () => setTimeout(check), { once: true });
}
