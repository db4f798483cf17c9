// What the page was given: the JSON in #data, as reports/page/html.py writes it.

export interface Calls {
  index: number[];
  end_index: number[];
  start: number[];
  end: number[];
  process: number[];
  f: number[];
  key: number[];
  outcome: number[];
  node: number[];
  text: string[];
  fs: string[];
  keys: string[];
  nodes: (string | null)[];
  lanes: number;
}

/** From, until (seconds), row, look, what is written on it, what is said of it. */
export type Bar = [number, number, number, string, string, string];
/** At, row, text, whether it stands on the left of that moment. */
export type Note = [number, number, string, boolean];
/** From, until, name. */
export type Band = [number, number, string];

export interface Rows {
  labels: string[];
  bars: Bar[];
  rules: number[];
  notes: Note[];
  lane: number;
}

export interface Latency {
  f: string;
  p50: (number | null)[];
  p99: (number | null)[];
  points_s: number[];
  points_ms: number[];
}

export interface Series {
  bin_s: number;
  middles_s: number[];
  rates: Record<string, number[]>;
  latencies: Latency[];
}

/** Name, times, tasks behind, what is said of each. */
export type Line = [string, number[], number[], string[]];

/** Lengths of queues by name, at these times. */
export interface Queues {
  unit: string;
  times: number[];
  lines: [string, (number | null)[]][];
}

export interface Data {
  end: number;
  bands: Band[];
  timeline: Rows;
  series: Series | null;
  lag: { lines: Line[]; states: Rows } | null;
  queues: Queues[];
  calls: Calls;
  outcomes: string[];
  witness: Record<string, number>;
}

export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

export const data: Data = JSON.parse(element("data").textContent ?? "");
