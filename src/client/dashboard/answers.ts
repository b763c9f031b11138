// What the daemon answers, as far as the dashboard reads it (docs/openapi.yaml).

export interface Metrics {
  customerId: string;
  /** Milliseconds since the epoch, by the daemon's clock. */
  timestamp: number;
  count: number;
  ema: number;
  /** The daemon counts without its Redis. */
  stale?: boolean;
  bots?: number;
}

/** Begins at `timestamp` (ms); min, mean and max of the count; the average at its end. */
export type Point = [timestamp: number, min: number, mean: number, max: number, ema: number];

export interface History {
  from: number;
  to: number;
  /** Milliseconds of a point. */
  step: number;
  peakToday: number;
  peak: number;
  uniqueToday: number;
  unique7d: number;
  points: Point[];
}

export interface Pages {
  count: number;
  visible?: number;
  pages: { page: string; count: number; visible?: number }[];
  /** People on all other pages. */
  other?: number;
}

/** What the limits and rules refused since the start. */
export type Refused = Record<string, number>;

/** Everything but `status` is for operators. */
export interface Health {
  status: string;
  version?: string;
  uptimeSeconds?: number;
  store?: string;
  reason?: string;
  customers?: number;
  sessions?: number;
  connections?: number;
  sockets?: number;
  refused?: Refused;
}

export interface CustomerRow {
  customerId: string;
  count: number;
  ema: number;
  stale?: boolean;
}

export interface Customers {
  customers: CustomerRow[];
  next: string | null;
}
