// The stretch of time that all plots show, and how keys, buttons and pointers move it.
import { data } from "./data";

export type Range = [number, number];
export const WHOLE: Range = [-0.005 * data.end, Math.max(1e-3, data.end * 1.005)];
const NARROWEST = 1e-4;

let range: Range = WHOLE;
const watchers: (() => void)[] = [];

export const shown = (): Range => range;

/** Calls back whenever the stretch has changed. */
export function onMove(moved: () => void): void {
  watchers.push(moved);
}

/** Shows a stretch, never beyond the run. */
export function show(from: number, to: number): void {
  const width = Math.min(Math.max(to - from, NARROWEST), WHOLE[1] - WHOLE[0]);
  const start = Math.min(Math.max(from, WHOLE[0]), WHOLE[1] - width);
  if (start === range[0] && start + width === range[1]) return;
  range = [start, start + width];
  for (const moved of watchers) moved();
}

/** A stretch with some room on both sides. */
export function showAround(from: number, to: number): void {
  const margin = Math.max((to - from) * 0.3, 0.05);
  show(from - margin, to + margin);
}

export function shift(seconds: number): void {
  show(range[0] + seconds, range[1] + seconds);
}

/** Closer or further, around a moment that stays where it is. */
export function zoom(factor: number, at: number): void {
  show(at + (range[0] - at) * factor, at + (range[1] - at) * factor);
}

const MOVES: Record<string, Range> = {
  ArrowLeft: [-0.2, -0.2],
  ArrowRight: [0.2, 0.2],
  "+": [0.25, -0.25],
  "=": [0.25, -0.25],
  "-": [-0.5, 0.5],
};

/** What a key does to the stretch; whether it does anything. */
export function move(key: string): boolean {
  const by = MOVES[key];
  if (key === "0") show(...WHOLE);
  else if (by) {
    const width = range[1] - range[0];
    show(range[0] + by[0] * width, range[1] + by[1] * width);
  }
  return key === "0" || by !== undefined;
}
