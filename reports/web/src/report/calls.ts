// Operations: which are to be shown, where each stands, and what is said of it.
import { data } from "./data";

const { calls } = data;
export const OUTCOMES = data.outcomes.length;
export const KINDS = 3;
const SHIFT = [-0.2, 0.2, 0];
const count = calls.index.length;

/** What readers ask for; null is everything. `f` and `outcome` hold what is hidden. */
export const filter = {
  kinds: new Set<number>(),
  outcomes: new Set<number>(),
  f: null as number | null,
  lane: null as number | null,
  node: null as number | null,
  key: "",
};

export const kindOf = (i: number) => Math.min(calls.f[i], KINDS - 1);
export const isOpen = (i: number) => calls.end[i] < 0;
export const startOf = (i: number) => calls.start[i] / 1e6;
export const endOf = (i: number) => (isOpen(i) ? data.end : calls.end[i] / 1e6);
/** Where its mark stands: at its completion or, where there is none, its invocation. */
export const markOf = (i: number) => (isOpen(i) ? startOf(i) : endOf(i));
export const laneOf = (i: number) => ((calls.process[i] % calls.lanes) + calls.lanes) % calls.lanes;
export const rowOf = (i: number) => data.timeline.lane + laneOf(i) + SHIFT[kindOf(i)];

/** Operations of one row and outcome, by when their marks stand. */
export interface Group {
  row: number;
  kind: number;
  outcome: number;
  ids: Int32Array;
  at: Float64Array;
  /** The longest of them: so far beyond the view one may begin or end that is in it. */
  longest: number;
}

let groups: Group[] = [];
let matching = 0;

/** All groups, what went well first, so that the rest lies above it. */
export const shownGroups = (): Group[] => groups;
export const shownCount = (): number => matching;

function matches(i: number, keys: Set<number> | null): boolean {
  return (
    !filter.kinds.has(kindOf(i)) &&
    !filter.outcomes.has(calls.outcome[i]) &&
    (filter.f === null || calls.f[i] === filter.f) &&
    (filter.lane === null || laneOf(i) === filter.lane) &&
    (filter.node === null || calls.node[i] === filter.node) &&
    (keys === null || keys.has(calls.key[i]))
  );
}

/** The keys that hold the text, or null if there is none to hold. */
function wantedKeys(): Set<number> | null {
  const text = filter.key.trim().toLowerCase();
  if (!text) return null;
  const found = calls.keys.flatMap((key, at) => (key.toLowerCase().includes(text) ? [at] : []));
  return new Set(found);
}

/** Sorts out anew what is shown. */
export function regroup(): void {
  const keys = wantedKeys();
  const sorted: number[][] = [];
  matching = 0;
  for (let i = 0; i < count; i++) {
    if (!matches(i, keys)) continue;
    matching += 1;
    const place = (calls.outcome[i] * KINDS + kindOf(i)) * calls.lanes + laneOf(i);
    (sorted[place] ??= []).push(i);
  }
  groups = sorted.filter(Boolean).map((ids) => {
    ids.sort((a, b) => markOf(a) - markOf(b));
    const first = ids[0];
    return {
      row: rowOf(first),
      kind: kindOf(first),
      outcome: calls.outcome[first],
      ids: Int32Array.from(ids),
      at: Float64Array.from(ids, markOf),
      longest: ids.reduce((most, i) => Math.max(most, isOpen(i) ? 0 : endOf(i) - startOf(i)), 0),
    };
  });
}
regroup();

/** The first place in a group whose mark stands at that time or later. */
export function firstFrom(group: Group, time: number): number {
  let [low, high] = [0, group.at.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (group.at[middle] < time) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The operation that an index of the history belongs to, by either of its ends. */
export function callOf(index: number): number | undefined {
  const begun = calls.index.indexOf(index);
  const found = begun >= 0 ? begun : calls.end_index.indexOf(index);
  return found < 0 ? undefined : found;
}

/** An operation in words. */
export function told(i: number): string[] {
  const node = calls.nodes[calls.node[i]];
  const key = calls.keys.length > 1 && calls.keys[calls.key[i]];
  const took = ((calls.end[i] - calls.start[i]) / 1e3).toFixed(1);
  const ops = isOpen(i) ? `${calls.index[i]}` : `${calls.index[i]}–${calls.end_index[i]}`;
  const number = data.witness[calls.index[i]];
  return [
    `${number ? `Witness ${number}: ` : ""}${calls.fs[calls.f[i]]} ${data.outcomes[calls.outcome[i]]}` +
      (node ? ` at ${node}` : ""),
    (key ? `${key}: ` : "") + calls.text[i],
    `op ${ops}, process ${calls.process[i]}`,
    `${startOf(i).toFixed(3)} s, ${isOpen(i) ? "never returned" : `took ${took} ms`}`,
  ];
}
