// Listeners that end together.

export type Listen = (target: EventTarget, type: string, run: (event: Event) => void) => void;

/** Everything listened to with the result ends when `life` aborts. */
export function createListen(life: AbortSignal): Listen {
  return (target, type, run) => target.addEventListener(type, run, { signal: life });
}
