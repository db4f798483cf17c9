// What the page was given: the JSON in #data, as reports/html.py writes it.

export interface Calls {
  index: number[];
  end_index: number[];
  start: number[];
  end: number[];
  process: number[];
  f: number[];
  outcome: number[];
  node: number[];
  text: string[];
  fs: string[];
  nodes: string[];
  lanes: number;
}

// A trace or a layout of Plotly: plain data, in which colours are names of CSS variables.
export interface Plain {
  [name: string]: any;
}

export interface Figure {
  data: Plain[];
  layout: Plain;
}

export interface Data {
  end: number;
  bin: number;
  timeline: Figure & { firstLane: number };
  series: Figure | null;
  lag: Figure | null;
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
