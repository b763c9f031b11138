// Smoothing of the last counts, for drawing. The server's `ema` is the one that is compared.

/**
 * alpha: weight of the newest value, (0, 1]. size: how many values count. The function returned
 * takes one more value and gives the smoothed one; the first is taken as it is.
 */
export function createEma(alpha: number, size: number): (value: number) => number {
  const window: number[] = [];
  return (value) => {
    window.push(value);
    if (window.length > size) window.shift();
    return window.reduce((ema, next) => alpha * next + (1 - alpha) * ema);
  };
}
