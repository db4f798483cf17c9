// Draws operations: a mark each or, of those that would cover one another, one.
import uPlot from "uplot";
import { colour } from "../shared/theme";
import { Blit } from "./blit";
import {
  firstFrom,
  isOpen,
  KINDS,
  markOf,
  rowOf,
  shownGroups,
  startOf,
  type Group,
} from "./calls";
import { data } from "./data";

/** Marks nearer to each other than this are one. */
const PLACE = 3;
const MANY = 3_000;
const BAR = 3;
const BAR_INK = 0.8;

/** How many marks the last drawing had. */
export let drawn = 0;

export function drawCalls(u: uPlot): void {
  const groups = shownGroups();
  u.ctx.lineWidth = BAR * devicePixelRatio;
  for (const group of groups) drawBars(u, group);
  drawn = 0;
  const seen = groups.reduce((all, group) => all + inView(u, group), 0);
  if (seen > MANY) drawn = drawMany(u, groups);
  else for (const group of groups) drawn += drawMarks(u, group, seen > 800 ? 5 : 8);
  drawWitnesses(u);
}

function span(u: uPlot): [number, number] {
  return [u.scales["x"].min ?? 0, u.scales["x"].max ?? 0];
}

function inView(u: uPlot, group: Group): number {
  const [from, to] = span(u);
  return firstFrom(group, to) - firstFrom(group, from);
}

/** From invocation to completion, where that is more than a pixel. */
function drawBars(u: uPlot, group: Group): void {
  const { outcome, row, ids, at, longest } = group;
  const [from, to] = span(u);
  const { ctx, bbox } = u;
  const y = u.valToPos(row, "y", true);
  const perSecond = bbox.width / (to - from);
  const x = (time: number) => bbox.left + (Math.min(Math.max(time, from), to) - from) * perSecond;
  ctx.strokeStyle = colour(`--op-${data.outcomes[outcome]}`);
  ctx.globalAlpha = BAR_INK;
  ctx.beginPath();
  let last = -1;
  for (let k = firstFrom(group, from); k < ids.length; k++) {
    const i = ids[k];
    if (at[k] > to + longest) break;
    if (isOpen(i)) continue;
    const [start, end] = [x(startOf(i)), x(at[k])];
    if (end - start < 1.5 || Math.floor(end) === last) continue;
    last = Math.floor(end);
    ctx.moveTo(start, y);
    ctx.lineTo(end, y);
  }
  for (let k = 0; k < ids.length && at[k] < to; k++) {
    if (!isOpen(ids[k])) continue;
    ctx.moveTo(x(at[k]), y);
    ctx.lineTo(x(data.end), y);
  }
  ctx.stroke();
  ctx.globalAlpha = 1;
}

/** The marks of a group from the left, each in pixels from the plot's left; how many there were. */
function place(u: uPlot, group: Group, put: (x: number) => void): number {
  const [from, to] = span(u);
  const perSecond = u.bbox.width / (to - from);
  const nearest = PLACE * devicePixelRatio;
  let [last, count] = [-1, 0];
  for (let k = firstFrom(group, from); k < group.at.length && group.at[k] <= to; k++) {
    const along = (group.at[k] - from) * perSecond;
    const bin = Math.floor(along / nearest);
    if (bin === last) continue;
    last = bin;
    count += 1;
    put(Math.round(along));
  }
  return count;
}

function drawMany(u: uPlot, groups: Group[]): number {
  const blit = new Blit(u, 5 * devicePixelRatio);
  let count = 0;
  for (const group of groups) {
    const y = Math.round(u.valToPos(group.row, "y", true) - u.bbox.top);
    const stamp = blit.stamp(group);
    count += place(u, group, (x) => stamp(x, y));
  }
  blit.show();
  return count;
}

function drawMarks(u: uPlot, group: Group, size: number): number {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const y = Math.round(u.valToPos(group.row, "y", true));
  const half = (size / 2) * ratio;
  const shapes = new Path2D();
  const crosses = new Path2D();
  const count = place(u, group, (along) => {
    const x = bbox.left + along;
    trace(shapes, group.kind, x, y, half);
    if (group.outcome === 1) cross(crosses, x, y, half);
  });
  ctx.strokeStyle = colour(`--op-${data.outcomes[group.outcome]}`);
  ctx.fillStyle = group.outcome === 0 ? ctx.strokeStyle : colour("--bg");
  ctx.lineWidth = (group.outcome === 2 ? 1.6 : 1.2) * ratio;
  ctx.fill(shapes);
  if (group.outcome !== 0) ctx.stroke(shapes);
  if (group.outcome === 1) ctx.stroke(crosses);
  return count;
}

/** Shapes tell functions, fillings outcomes: full is ok, crossed fail, empty info. */
function trace(path: Path2D, kind: number, x: number, y: number, half: number): void {
  if (kind === 0) path.rect(x - half, y - half, 2 * half, 2 * half);
  else {
    // A circle of few pixels is an octagon, which is drawn in a fraction of the time.
    const near = kind === 1 ? half * 0.42 : 0;
    const far = kind === 1 ? half : half * 1.2;
    path.moveTo(x - near, y - far);
    path.lineTo(x + near, y - far);
    path.lineTo(x + far, y - near);
    path.lineTo(x + far, y + near);
    path.lineTo(x + near, y + far);
    path.lineTo(x - near, y + far);
    path.lineTo(x - far, y + near);
    path.lineTo(x - far, y - near);
    path.lineTo(x - near, y - far);
  }
}

function cross(path: Path2D, x: number, y: number, half: number): void {
  path.moveTo(x - half, y - half);
  path.lineTo(x + half, y + half);
  path.moveTo(x - half, y + half);
  path.lineTo(x + half, y - half);
}

const WITNESSES = data.calls.index.flatMap((index, i) => (data.witness[index] ? [i] : []));

/** A ring around each witness, and its name above. */
function drawWitnesses(u: uPlot): void {
  const { ctx } = u;
  const ratio = devicePixelRatio;
  ctx.font = `bold ${12 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "center";
  ctx.textBaseline = "bottom";
  for (const i of WITNESSES) {
    const [x, y] = [u.valToPos(markOf(i), "x", true), u.valToPos(rowOf(i), "y", true)];
    ring(u, x, y, 8);
    const name = `W${data.witness[data.calls.index[i]]}`;
    ctx.lineWidth = 4 * ratio;
    ctx.strokeStyle = colour("--bg");
    ctx.strokeText(name, x, y - 9 * ratio);
    ctx.fillStyle = colour("--witness");
    ctx.fillText(name, x, y - 9 * ratio);
  }
}

/** A ring around the operation that was chosen. */
export function drawChosen(u: uPlot, i: number): void {
  ring(u, u.valToPos(markOf(i), "x", true), u.valToPos(rowOf(i), "y", true), 11);
}

function ring({ ctx }: uPlot, x: number, y: number, radius: number): void {
  ctx.beginPath();
  ctx.arc(x, y, radius * devicePixelRatio, 0, 2 * Math.PI);
  ctx.lineWidth = 2.5 * devicePixelRatio;
  ctx.strokeStyle = colour("--witness");
  ctx.stroke();
}

/** The operation of a group whose bar lies at a time; marks from `first` to `last` are there themselves. */
function barAt({ ids, at, longest }: Group, first: number, last: number, time: number): number | undefined {
  for (let k = last; k < ids.length && at[k] <= time + longest; k++) {
    if (startOf(ids[k]) <= time) return ids[k];
  }
  if (time > data.end) return undefined;
  // The mark of one that never returned is where its bar begins.
  for (let k = first - 1; k >= 0; k--) if (isOpen(ids[k])) return ids[k];
  return undefined;
}

/** The operation whose mark or bar is nearest to a place, and how many marks it stands for. */
export function callAt(u: uPlot, x: number, y: number): { i: number; others: number } | null {
  const reach = 7;
  const [near, far] = [u.posToVal(x - reach, "x"), u.posToVal(x + reach, "x")];
  const time = u.posToVal(x, "x");
  let best: { i: number; others: number } | null = null;
  let bar: number | undefined;
  let [least, leastUp] = [Infinity, Infinity];
  for (const group of shownGroups()) {
    const up = Math.abs(u.valToPos(group.row, "y") - y);
    if (up > reach) continue;
    const [first, last] = [firstFrom(group, near), firstFrom(group, far)];
    for (let k = first; k < last; k++) {
      const away = Math.abs(u.valToPos(group.at[k], "x") - x) + up + (KINDS - group.kind) / 100;
      if (away < least) [best, least] = [{ i: group.ids[k], others: last - first - 1 }, away];
    }
    const found = up < leastUp ? barAt(group, first, last, time) : undefined;
    if (found !== undefined) [bar, leastUp] = [found, up];
  }
  return least > reach && bar !== undefined ? { i: bar, others: 0 } : best;
}
