// The daemon itself: its store, what it has refused, and who may see that.
import type { Health } from './answers.js';
import { ApiError, get, token } from './api.js';
import { $, make, show, write } from './dom.js';
import { duration, number } from './format.js';

const REFUSED: Record<string, string> = {
  address: 'requests over the limit of an address',
  customer: 'requests over the limit of a customer',
  newSessions: 'sessions begun too fast by an address',
  connections: 'connections over the limit of an address',
  blocked: 'requests of blocked addresses',
  origins: 'requests of pages that may not',
  tokens: 'tokens that were refused',
};

const isDetailed = (health: Health) => health.version !== undefined;

function showPairs(id: string, pairs: [name: string, value: string][]) {
  $(id).replaceChildren(
    ...pairs.map(([name, value]) => make('div', {}, make('dt', {}, name), make('dd', {}, value))),
  );
}

function showRefused({ refused = {}, uptimeSeconds = 0 }: Health) {
  const pairs = Object.entries(refused)
    .filter(([, n]) => n > 0)
    .map(([name, n]): [string, string] => [REFUSED[name] ?? name, number(n)]);
  showPairs('refused', pairs);
  write('refused-note', `${pairs.length ? 'Since' : 'Nothing since'} the start, ${duration(uptimeSeconds)} ago`);
}

/** What everybody may know goes to `onStatus`; the rest is shown where it came. */
export async function readService(onStatus: (status: string) => void): Promise<boolean> {
  try {
    const health = await get<Health>('health', true);
    const { status, reason, store = '', uptimeSeconds = 0 } = health;
    onStatus(reason ? `${status}: ${reason}` : status);
    show('service-card', isDetailed(health));
    if (!isDetailed(health)) return false;
    showPairs('service', [
      ['Store', `${store}, ${reason ?? 'all is well'}`],
      ['People', number(health.sessions ?? 0)],
      ['Customers', number(health.customers ?? 0)],
      ['Connections', number(health.connections ?? 0)],
      ['Sockets', number(health.sockets ?? 0)],
      ['Up for', duration(uptimeSeconds)],
    ]);
    write('version', `Active Users ${health.version}`);
    showRefused(health);
    return true;
  } catch (error) {
    onStatus((error as ApiError).status ? `refused: ${(error as ApiError).message}` : 'offline');
    return false;
  }
}

/** What the daemon takes as an admin token; anything else cannot even be sent. */
const TOKEN = /^[\w.~+/=-]{16,512}$/;

/** Why a token opens nothing; '' when it does. */
async function refusalOf(value: string): Promise<string> {
  if (!TOKEN.test(value)) return 'An admin token is 16 to 512 letters, digits and - . _ ~ + / =';
  token.set(value);
  try {
    if (isDetailed(await get<Health>('health', true))) return '';
    await get('admin/customers?limit=1', true);
    return '';
  } catch (error) {
    token.set(undefined);
    const { status, message } = error as ApiError;
    if (status === 401) return 'This is not the admin token.';
    if (status === 404) return 'What operators see is at the admin port of this daemon: open /dashboard there.';
    return `Not now: ${message}.`;
  }
}

export function offerSignIn(onSignedIn: () => void) {
  show('sign-in', true);
  $('sign-in-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const input = $<HTMLInputElement>('token');
    const refusal = await refusalOf(input.value.trim());
    write('sign-in-error', refusal);
    input.setAttribute('aria-invalid', String(refusal !== ''));
    if (refusal) input.focus();
    else onSignedIn();
  });
}

export function offerSignOut() {
  show('sign-out', token.get() !== undefined);
  $('sign-out').addEventListener('click', () => {
    token.set(undefined);
    location.reload();
  });
}
