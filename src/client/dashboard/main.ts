// Which page it is: one customer's, the list of them, or where one begins.
import './language.js';

import { openCustomer } from './customer.js';
import { openCustomers } from './customers.js';
import { $, show, write } from './dom.js';
import type { Link } from './live.js';
import { offerSignIn, offerSignOut, readService } from './service.js';

const SERVICE_MS = 30_000;

/** A page of somebody else has it in a frame: one customer, and nothing for operators. */
const embedded = window.top !== window;
const customerId = new URLSearchParams(location.search).get('customerId');

function showState(state: Link | 'degraded', words: string) {
  $('state').dataset.state = state;
  write('state-words', words);
}

/** Without a customer the state is that of the daemon. */
function showStatus(status: string) {
  write('store-status', status);
  if (customerId !== null) return;
  const offline = status === 'offline';
  showState(offline ? 'offline' : status === 'ok' ? 'live' : 'degraded', offline ? 'Offline' : `Daemon: ${status}`);
}

function offerCustomer() {
  show('open', true);
  $('open-form').addEventListener('submit', (event) => {
    event.preventDefault();
    location.search = '?customerId=' + encodeURIComponent($<HTMLInputElement>('open-id').value.trim());
  });
}

async function start() {
  document.documentElement.classList.toggle('embedded', embedded);
  if (customerId !== null) openCustomer(customerId, showState);
  if (embedded) return;
  show('all', customerId !== null);
  const isOperator = await readService(showStatus);
  setInterval(() => document.hidden || void readService(showStatus), SERVICE_MS);
  if (isOperator) {
    offerSignOut();
    if (customerId === null) openCustomers();
  } else if (customerId === null) {
    offerSignIn(() => location.reload());
    offerCustomer();
  }
}

void start();
