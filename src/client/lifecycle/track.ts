// What the person looks at, for a client with `trackPage`. A part of its own (track.mjs), which is
// loaded only where it is asked for; the script has it inside.
import type { Scope } from '../utils/scope.js';
import { createTimer } from '../utils/timer.js';

/** Without the Navigation API the path is compared this often, while the page is visible. */
export const LOOK_MS = 1000;
/** The tab that is shown instead takes the lead meanwhile, and tells of itself. */
export const HIDE_MS = 500;
/** A sign of life is asked for again, so often: the one before is not answered yet, or none is due. */
export const AGAIN_MS = 5000;
export const TIMES = 3;

/**
 * `tell` asks for a sign of life in a second, if this tab gives them. Returns what each of them is to
 * say.
 */
export function track(scope: Scope, life: AbortSignal, tell: () => void): () => object {
  const { document, location, navigation } = scope as Scope & { navigation?: EventTarget };
  let told: string | undefined;
  const look = () => ({ page: location.pathname, visible: !document.hidden });
  if (life.aborted) return look; // while this was loaded
  const differs = () => JSON.stringify(look()) !== told;
  let left = 0;
  /** A sign of life is on its way: asking anew would put it off, for a restless router for ever. */
  let asked = false;
  const telling = createTimer(scope, () => {
    asked = differs() && left-- > 0;
    if (!asked) return;
    tell();
    telling.arm(AGAIN_MS);
  });
  const changed = (ms = 0) => {
    left = TIMES;
    if (differs() && !asked) telling.arm(ms);
  };
  const looking = createTimer(scope, () => {
    changed();
    if (!document.hidden) looking.arm(LOOK_MS);
  });
  const on = (target: EventTarget, type: string, run: () => void) =>
    target.addEventListener(type, run, { signal: life });

  on(document, 'visibilitychange', () => {
    changed(document.hidden ? HIDE_MS : 0);
    if (!navigation) looking.arm(0);
  });
  if (navigation) on(navigation, 'currententrychange', () => changed());
  else {
    on(scope, 'popstate', () => changed());
    looking.arm(LOOK_MS);
  }
  life.addEventListener('abort', () => {
    telling.clear();
    looking.clear();
  });
  changed(); // what has been said so far had no page
  return () => {
    const seen = look();
    told = JSON.stringify(seen);
    asked = false;
    return seen;
  };
}
