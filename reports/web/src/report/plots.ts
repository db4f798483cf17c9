// The plots of the page: drawn by Plotly, all over the same stretch of time.
import { colour, onColours } from "../shared/theme";
import { data, type Figure, type Plain } from "./data";

interface PlotElement extends HTMLElement {
  on(name: string, listener: (event: Plain) => void): void;
}
declare const Plotly: {
  react(element: HTMLElement, traces: Plain[], layout: Plain, config: Plain): void;
};

type Range = [number, number];
export const WHOLE: Range = [-0.005 * data.end, Math.max(1e-3, data.end * 1.005)];
export let range: Range = WHOLE;

const draws: ((width?: number) => void)[] = [];

/** A copy in which names of CSS variables have become the colours that they stand for now. */
function painted(value: any, key: string): any {
  if (typeof value === "string") {
    return /color$/.test(key) && value.startsWith("--") ? colour(value) : value;
  }
  if (Array.isArray(value)) {
    return typeof value[0] === "object" ? value.map((item) => painted(item, key)) : value;
  }
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, of]) => [name, painted(of, name)]));
}

/** Horizontal bars cut to what is in view, so that what is written on them is in view too. */
function clipped(trace: Plain): Plain {
  if (!trace["base"]) return trace;
  const base: number[] = trace["base"];
  const lengths: number[] = trace["x"];
  const [from, to] = range;
  const kept = base.map((_, i) => i).filter((i) => base[i] < to && base[i] + lengths[i] > from);
  const starts = kept.map((i) => Math.max(from, base[i]));
  const cut = kept.map((i, k) => Math.min(to, base[i] + lengths[i]) - starts[k]);
  const copy: Plain = { ...trace, base: starts, x: cut };
  for (const name of ["y", "text", "hovertext"]) {
    if (trace[name]) copy[name] = kept.map((i) => trace[name][i]);
  }
  return copy;
}

export interface More {
  traces: Plain[];
  names: Plain[];
}

/** Draws a figure in its element, if the page has both, and again whenever time moves. */
export function plot(
  id: string,
  figure: Figure | null,
  narrowest: number,
  more: (width: number) => More,
): void {
  const element = document.getElementById(id) as PlotElement | null;
  if (!element || !figure) return;
  const draw = (width?: number) => {
    const layout = painted(figure.layout, "");
    const spare = Math.max(0, narrowest - (range[1] - range[0])) / 2;
    layout.xaxis.range = [range[0] - spare, range[1] + spare];
    layout.dragmode = matchMedia("(pointer: coarse)").matches ? false : "zoom";
    if (width) layout.width = width;
    const added = more(width ?? element.clientWidth);
    layout.annotations = [...layout.annotations, ...painted(added.names, "")];
    const traces = [...figure.data.map(clipped), ...added.traces];
    Plotly.react(element, traces.map((trace) => painted(trace, "")), layout, {
      responsive: true,
      displayModeBar: false,
      doubleClick: false,
      scrollZoom: false,
    });
  };
  draw();
  element.on("plotly_relayout", (event) => {
    const [from, to] = [event["xaxis.range[0]"], event["xaxis.range[1]"]];
    if (from !== undefined && to !== undefined) show(Number(from), Number(to));
  });
  element.on("plotly_doubleclick", () => show(...WHOLE));
  element.addEventListener("keydown", pressed);
  draws.push(draw);
}

/** All plots again, as wide as they are or as wide as told. */
export function redraw(width?: number): void {
  for (const draw of draws) draw(width);
}

/** All plots show the same stretch of time, never beyond the run. */
export function show(from: number, to: number): void {
  const width = Math.min(Math.max(to - from, 1e-4), WHOLE[1] - WHOLE[0]);
  const start = Math.min(Math.max(from, WHOLE[0]), WHOLE[1] - width);
  if (start === range[0] && start + width === range[1]) return;
  range = [start, start + width];
  redraw();
}

/** A stretch of time with some room on both sides. */
export function showAround(from: number, to: number): void {
  const margin = Math.max((to - from) * 0.3, 0.05);
  show(from - margin, to + margin);
}

const MOVES: Record<string, Range> = {
  ArrowLeft: [-0.2, -0.2],
  ArrowRight: [0.2, 0.2],
  "+": [0.25, -0.25],
  "=": [0.25, -0.25],
  "-": [-0.5, 0.5],
};

/** What a key does to the stretch of time; whether it does anything. */
export function move(key: string): boolean {
  const by = MOVES[key];
  if (key === "0") show(...WHOLE);
  else if (by) {
    const width = range[1] - range[0];
    show(range[0] + by[0] * width, range[1] + by[1] * width);
  }
  return key === "0" || by !== undefined;
}

function pressed(event: KeyboardEvent): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (move(event.key)) event.preventDefault();
}

onColours(() => redraw());
