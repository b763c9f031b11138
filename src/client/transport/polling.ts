// Signs of life over HTTP; each answer brings the metrics.
import type { ActiveUsersError } from '../types.js';
import type { Http } from './http.js';
import type { Identity, Transport, TransportEvents } from './transport.js';

export function createPolling(http: Http, events: TransportEvents): Transport {
  let abort: AbortController | undefined;
  let who: Identity;
  let token: string | undefined;
  let ready = false;
  let busy = false;

  const close = () => {
    abort?.abort();
    abort = undefined;
  };

  const beat = () => {
    const mine = abort;
    if (!mine || busy) return;
    busy = true;
    http.beat(who, token, mine.signal).then(
      (reply) => {
        if (abort !== mine) return;
        busy = false;
        if (!ready) events.ready();
        ready = true;
        events.alive();
        events.metrics(reply);
      },
      (why: ActiveUsersError) => {
        if (abort !== mine) return;
        close();
        events.failed(why);
      },
    );
  };

  return {
    mode: 'polling',
    open(identity, given) {
      close();
      abort = new AbortController();
      who = identity;
      token = given;
      ready = busy = false;
      beat();
    },
    beat,
    close,
  };
}
