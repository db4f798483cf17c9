// The timeline: rows of bars, operations on them, and one operation that was chosen.
import { callAt, drawCalls, drawChosen, drawn } from "./marks";
import { Chart } from "./chart";
import {
  callOf,
  endOf,
  filter,
  markOf,
  regroup,
  rowOf,
  shownCount,
  shownGroups,
  startOf,
  told,
} from "./calls";
import { data, element } from "./data";
import { rowsPlan } from "./rows";
import { showAround, shown } from "./view";

let chart: Chart | undefined;
let chosen: number | undefined;

export function drawTimeline(): void {
  const place = document.getElementById("timeline-plot");
  if (!place) return;
  const rows = rowsPlan(data.timeline);
  chart = new Chart(place, {
    ...rows,
    above: (u) => {
      const { ctx, bbox } = u;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, 0, bbox.width, bbox.top + bbox.height);
      ctx.clip();
      drawCalls(u);
      if (chosen !== undefined) drawChosen(u, chosen);
      ctx.restore();
      place.dataset["marks"] = String(drawn);
    },
    told: (u, x, y) => {
      const found = callAt(u, x, y);
      if (!found) return rows.told?.(u, x, y) ?? null;
      const more = found.others ? [`and ${found.others} more here: zoom in`] : [];
      return [...told(found.i), ...more];
    },
    clicked: (u, x, y) => {
      const found = callAt(u, x, y);
      if (found) choose(found.i);
    },
  });
  place.addEventListener("keydown", stepped);
  tellCount();
}

/** Says below the plot what an operation was, with a link to it. */
function choose(i: number): void {
  chosen = i;
  const detail = element("timeline-detail");
  const link = document.createElement("a");
  link.href = `#op-${data.calls.index[i]}`;
  link.textContent = `link to op ${data.calls.index[i]}`;
  const [head, ...more] = told(i);
  const name = document.createElement("strong");
  name.textContent = head;
  detail.replaceChildren(name, ...more.flatMap((line) => [" · ", line]), " · ", link);
  chart?.redrawSoon();
}

/** Next and previous operations of what is in view, for those who use keys. */
function stepped(event: KeyboardEvent): void {
  const by = { ".": 1, ",": -1 }[event.key];
  if (!by || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const [from, to] = shown();
  const seen = shownGroups()
    .flatMap((group) => [...group.ids])
    .filter((i) => markOf(i) >= from && markOf(i) <= to)
    .sort((a, b) => markOf(a) - markOf(b) || rowOf(a) - rowOf(b));
  if (!seen.length) return;
  const at = chosen === undefined ? -1 : seen.indexOf(chosen);
  const next = at < 0 ? (by > 0 ? 0 : seen.length - 1) : at + by;
  choose(seen[Math.max(0, Math.min(seen.length - 1, next))]);
}

/** Leads to the operation that the address names, where no row of a table is it. */
export function followAddress(): void {
  const asked = /^#op-(\d+)$/.exec(location.hash);
  if (!asked || document.getElementById(location.hash.slice(1))) return;
  const i = callOf(Number(asked[1]));
  if (i === undefined || !chart) return;
  showAround(startOf(i), Math.min(endOf(i), startOf(i) + 1));
  choose(i);
  element("timeline").scrollIntoView();
}

function tellCount(): void {
  const all = data.calls.index.length.toLocaleString("en");
  const some = shownCount().toLocaleString("en");
  const told = some === all ? `All ${all} operations` : `${some} of ${all} operations`;
  element("timeline-count").textContent = told;
}

/** What the filters now ask for, drawn and counted. */
export function filtered(): void {
  regroup();
  if (chosen !== undefined && !shownGroups().some(({ ids }) => ids.includes(chosen as number))) {
    chosen = undefined;
    element("timeline-detail").replaceChildren();
  }
  tellCount();
  chart?.redrawSoon();
}

/** A filter's control has a new value. */
export function asked(control: HTMLSelectElement | HTMLInputElement): void {
  const code = control.value === "" ? null : Number(control.value);
  switch (control.dataset["filter"]) {
    case "f":
      filter.f = code;
      break;
    case "lane":
      filter.lane = code;
      break;
    case "node":
      filter.node = code;
      break;
    case "key":
      filter.key = control.value;
  }
  filtered();
}
