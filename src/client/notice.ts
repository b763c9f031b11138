// Tells a page's author on the console what is missing, once each.
import type { ActiveUsersClient } from './index.js';
import type { ActiveUsersError } from './types.js';

const told = new Set<string>();

export function notice(text: string): void {
  if (told.has(text)) return;
  told.add(text);
  console.warn('active-users:', text);
}

/** Says where the first contact went when it fails. fix: the attribute that names another daemon. */
export function noticeNoAnswer(client: ActiveUsersClient, apiUrl: string, fix: string): void {
  let failures = 0;
  const check = (error: ActiveUsersError) => {
    if (client.getMetrics()) return stop();
    const { status } = error as { status?: number };
    const wrongPlace = error.code === 'http' && status !== 429 && status !== 503;
    // One lost connection is an ordinary thing; a page elsewhere is not.
    if (!wrongPlace && error.code !== 'server' && ++failures < 2) return;
    notice(`no number from ${apiUrl}: ${error.message}. If the daemon is elsewhere, ${fix}`);
    stop();
  };
  const stop = client.onError(check);
}

/** Rejections of init(), with the attribute to mend. */
export function noticeFailure(error: unknown, hints: Record<string, string>): void {
  const text = error instanceof Error ? error.message : String(error);
  const hint = Object.keys(hints).find((word) => text.includes(word));
  console.error(text + (hint ? ` (${hints[hint]})` : ''));
}
