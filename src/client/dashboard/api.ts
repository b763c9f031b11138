// Requests to the daemon that the page is from, and the admin token.

/** An answer that is none (status 0: there was no answer at all), in words for a person. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status = 0,
    readonly retryAfterMs = 0,
  ) {
    super(message);
  }

  /** Whether the same question will have the same answer. */
  get isFinal() {
    return this.status >= 400 && this.status < 500 && this.status !== 429;
  }
}

const TIMEOUT_MS = 10_000;
const KEY = 'active-users-admin';

/** For this tab alone, and gone with it. Storage may be blocked: then for this page. */
let kept: string | undefined;
export const token = {
  get(): string | undefined {
    try {
      return sessionStorage.getItem(KEY) ?? kept;
    } catch {
      return kept;
    }
  },
  set(value: string | undefined) {
    kept = value;
    try {
      if (value === undefined) sessionStorage.removeItem(KEY);
      else sessionStorage.setItem(KEY, value);
    } catch {
      // kept above
    }
  },
};

async function errorOf(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get('Retry-After')) || 0;
  let message = `the daemon answered ${response.status}`;
  try {
    message = (await response.json()).message ?? message;
  } catch {
    // not the daemon's
  }
  return new ApiError(message, response.status, seconds * 1000);
}

/**
 * The JSON at a path beside the page. asOperator: with the token, which goes nowhere else. Rejects
 * with an ApiError.
 */
export async function get<T>(path: string, asOperator = false): Promise<T> {
  const bearer = asOperator ? token.get() : undefined;
  const headers = bearer ? { Authorization: `Bearer ${bearer}` } : undefined;
  let response: Response;
  try {
    response = await fetch(path, { headers, cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch {
    throw new ApiError('no answer');
  }
  if (!response.ok) throw await errorOf(response);
  try {
    return await response.json();
  } catch {
    throw new ApiError('the answer is not from the daemon', response.status);
  }
}

export const query = (values: Record<string, string | number | undefined>) =>
  '?' +
  Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value as string)}`)
    .join('&');
