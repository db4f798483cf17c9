// Operations on the timeline: a mark each, or of many that would cover one another, one.
import { data, type Plain } from "./data";
import { range, type More } from "./plots";

const { calls } = data;
const SYMBOLS = [
  ["square", "square-x-open", "square-open"],
  ["circle", "circle-x-open", "circle-open"],
  ["diamond", "diamond-x-open", "diamond-open"],
];
const SHIFT = [-0.2, 0.2, 0];
const PIXELS_PER_MARK = 3;
const MARKS_MAX = 5000;

/** Codes of what is not to be shown. */
export const hidden = { f: new Set<number>(), outcome: new Set<number>() };

const kind = (i: number) => Math.min(calls.f[i], 2);
const isOpen = (i: number) => calls.end[i] < 0;
const startOf = (i: number) => calls.start[i] / 1e6;
const endOf = (i: number) => (isOpen(i) ? data.end : calls.end[i] / 1e6);
const plain = (text: string) =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

function rowOf(i: number): number {
  const lane = ((calls.process[i] % calls.lanes) + calls.lanes) % calls.lanes;
  return data.timeline.firstLane + lane + SHIFT[kind(i)];
}

function told(i: number, others: number): string {
  const outcome = data.outcomes[calls.outcome[i]];
  const node = calls.nodes[calls.node[i]];
  const ops = isOpen(i) ? `${calls.index[i]}` : `${calls.index[i]}–${calls.end_index[i]}`;
  const took = ((calls.end[i] - calls.start[i]) / 1e3).toFixed(1);
  const lines = [
    `<b>${plain(calls.fs[calls.f[i]])} ${outcome}</b>${node ? ` at ${plain(node)}` : ""}`,
    plain(calls.text[i]).replace(/(.{60}[^ ]*) /g, "$1<br>"),
    `op ${ops}, process ${calls.process[i]}`,
    `${startOf(i).toFixed(3)} s, ${isOpen(i) ? "never returned" : `took ${took} ms`}`,
  ];
  if (others) lines.push(`and ${others} more here: zoom in`);
  return lines.join("<br>");
}

interface Mark {
  i: number;
  at: number;
  others: number;
}
interface Bar {
  i: number;
  start: number;
  end: number;
}

/** Marks and bars for what is in view. So many pixels count as one place that a phone can draw
    them all. */
export function callTraces(width: number): Plain[] {
  let pixels = PIXELS_PER_MARK;
  let found = inView(width / pixels);
  while (found.marks.size > MARKS_MAX && pixels < width / 8) {
    pixels *= 2;
    found = inView(width / pixels);
  }
  return [...barTraces(found.bars.values()), ...markTraces([...found.marks.values()])];
}

function inView(bins: number): { marks: Map<string, Mark>; bars: Map<string, Bar> } {
  const [from, to] = range;
  const scale = Math.max(50, bins) / (to - from);
  const marks = new Map<string, Mark>();
  const bars = new Map<string, Bar>();
  for (let i = 0; i < calls.index.length; i++) {
    const [start, end] = [startOf(i), endOf(i)];
    if (end < from || start > to) continue;
    const outcome = calls.outcome[i];
    if (hidden.f.has(kind(i)) || hidden.outcome.has(outcome)) continue;
    const at = isOpen(i) ? start : end;
    const place = (rowOf(i) * 8 + kind(i)) * 4 + outcome;
    const bin = Math.floor((at - from) * scale);
    const key = `${place} ${bin}`;
    const mark = marks.get(key);
    if (mark) mark.others += 1;
    else if (from <= at && at <= to) marks.set(key, { i, at, others: 0 });
    const first = Math.floor((start - from) * scale);
    if (Math.floor((end - from) * scale) > first) bars.set(`${key} ${first}`, { i, start, end });
  }
  return { marks, bars };
}

function barTraces(bars: Iterable<Bar>): Plain[] {
  const traces = data.outcomes.map((outcome) => ({
    type: "scatter",
    mode: "lines",
    x: [] as (number | null)[],
    y: [] as (number | null)[],
    hoverinfo: "skip",
    line: { color: `--op-${outcome}`, width: 3 },
    opacity: 0.45,
  }));
  for (const { i, start, end } of bars) {
    const trace = traces[calls.outcome[i]];
    trace.x.push(start, end, null);
    trace.y.push(rowOf(i), rowOf(i), null);
  }
  return traces.filter((trace) => trace.x.length);
}

function markTraces(marks: Mark[]): Plain[] {
  const traces = new Map<string, Plain>();
  const small = marks.length > 800 ? 5 : 7;
  // A cross in a box needs room to be seen.
  const sizes = [small, small + 1, 8];
  for (const { i, at, others } of marks) {
    const outcome = calls.outcome[i];
    const key = `${outcome} ${kind(i)}`;
    let trace = traces.get(key);
    if (!trace) {
      const marker = {
        symbol: SYMBOLS[kind(i)][outcome],
        size: sizes[outcome],
        color: `--op-${data.outcomes[outcome]}`,
        line: { width: [0, 1, 1.6][outcome] },
      };
      const hovertemplate = "%{text}<extra></extra>";
      trace = { type: "scatter", mode: "markers", x: [], y: [], text: [], hovertemplate, marker };
      traces.set(key, trace);
    }
    trace["x"].push(at);
    trace["y"].push(rowOf(i));
    trace["text"].push(told(i, others));
  }
  // What went well lies below what did not.
  return [...traces.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, trace]) => trace);
}

/** A ring around each witness, and its name above. */
export function witnesses(): More {
  const trace: Plain = {
    type: "scatter",
    mode: "markers",
    x: [],
    y: [],
    hovertext: [],
    hovertemplate: "%{hovertext}<extra></extra>",
    marker: { symbol: "circle-open", size: 16, color: "--witness", line: { width: 2.5 } },
  };
  const names: Plain[] = [];
  calls.index.forEach((index, i) => {
    const number = data.witness[index];
    if (!number) return;
    const [x, y] = [isOpen(i) ? startOf(i) : endOf(i), rowOf(i)];
    trace["x"].push(x);
    trace["y"].push(y);
    trace["hovertext"].push(`<b>Witness ${number}</b><br>${told(i, 0)}`);
    names.push({
      x,
      y,
      text: `<b>W${number}</b>`,
      ax: 0,
      ay: -26,
      arrowcolor: "--witness",
      arrowhead: 0,
      arrowwidth: 1.5,
      standoff: 8,
      bgcolor: "--bg",
      bordercolor: "--witness",
      borderpad: 2,
      font: { color: "--witness", size: 12 },
    });
  });
  return { traces: trace["x"].length ? [trace] : [], names };
}
