// A run while it is being made: what the server sees in its files, about once a second.
import { follow, say } from "./stream";

interface Member {
  name: string;
  role: string;
  term: number;
  log: string;
}

interface Seen {
  state: string;
  phase: string;
  wrote_s: number | null;
  elapsed_s: number;
  duration_s: number | null;
  functions: Record<string, Record<string, number>>;
  open: number;
  per_s: number;
  latency_ms: { p50?: number; p99?: number };
  members: Member[];
  faults: string[];
  recent: [number, string][];
  series: [number, number][];
  unread: number;
  is_behind: boolean;
}

const SAID: Record<string, string> = {
  running: "▶ Running",
  silent: "… Silent",
  dead: "† Dead",
  damaged: "! Damaged",
  judged: "Judged",
};

type Content = Node | string | null;

function el(name: string, attributes: Record<string, string> = {}, ...content: Content[]): HTMLElement {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content.filter((part) => part !== null));
  return made;
}

export function watch(place: HTMLElement): void {
  const address = place.dataset["live"];
  if (address === undefined) return;
  const status = el("p", { role: "status", class: "now" });
  const shown = el("div");
  place.replaceChildren(status, shown);
  const take = (seen: Seen) => {
    say(status, summary(seen));
    shown.replaceChildren(...parts(seen));
    place.dataset["state"] = seen.state;
    if (seen.state === "judged") status.append(" ", el("a", { href: "" }, "Show the verdict"));
  };
  follow(address, take, (text) => say(status, text));
}

function summary(seen: Seen): string {
  const leaders = seen.members.filter((member) => member.role === "leader");
  const led = leaders.map((member) => `${member.name} leads in term ${member.term}`).join(", ");
  const broken = seen.faults.length === 0 ? "no fault" : seen.faults.join(", ");
  const old = seen.wrote_s !== null && seen.wrote_s > 5 ? `nothing written for ${Math.round(seen.wrote_s)} s` : "";
  return [SAID[seen.state] ?? seen.state, `phase ${seen.phase || "unknown"}`, led, broken, old].filter(Boolean).join(" · ");
}

function parts(seen: Seen): Node[] {
  const of = seen.duration_s === null ? "" : ` of ${seen.duration_s} s planned`;
  const { p50, p99 } = seen.latency_ms;
  const latency = p50 === undefined ? "–" : `${p50} ms`;
  const figures: [string, string, string][] = [
    ["of the run", `${seen.elapsed_s.toFixed(1)} s`, of],
    ["operations per second", seen.per_s.toLocaleString("en"), "acknowledged, over 10 s"],
    ["median latency", latency, p99 === undefined ? "" : `99 % within ${p99} ms`],
    ["open", `${seen.open}`, "without an answer so far"],
  ];
  const story = el("dl", { class: "story" });
  for (const [name, value, note] of figures) {
    story.append(el("div", {}, el("dt", {}, name), el("dd", {}, el("b", {}, value), el("small", {}, note))));
  }
  const functions = Object.entries(seen.functions).map(([name, counts]) => [
    name,
    ...["ok", "fail", "info"].map((outcome) => (counts[outcome] ?? 0).toLocaleString("en")),
  ]);
  const members = seen.members.map(({ name, role, term, log }) => [
    name,
    role || "not seen yet",
    term > 0 ? `${term}` : "–",
    log,
  ]);
  const recent = [...seen.recent].reverse().map(([at, text]) => [`${at.toFixed(2)} s`, text]);
  return [
    story,
    picture(seen.series),
    table("Operations so far", ["function", "ok", "fail", "info"], functions, "grid"),
    table("Members", ["member", "role", "term", "last line of its log"], members, "flow"),
    table("Lately", ["at", "what"], recent, "flow"),
    el("p", { class: "meta" }, seen.unread > 0 ? `${seen.unread} lines of the history cannot be read.` : ""),
  ];
}

function table(caption: string, heads: string[], rows: string[][], look: string): HTMLElement {
  const head = el("tr", {}, ...heads.map((name) => el("th", { scope: "col" }, name)));
  const body = rows.map(([first, ...rest]) =>
    el("tr", {}, el("th", { scope: "row" }, first ?? ""), ...rest.map((cell) => el("td", {}, cell))),
  );
  const made = el("table", { class: look }, el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, ...body));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, made);
}

/** Acknowledged operations in each second, as bars. */
function picture(series: [number, number][]): Element {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const top = Math.max(1, ...series.map(([, count]) => count));
  const width = Math.max(60, series.length);
  svg.setAttribute("viewBox", `0 0 ${width} 40`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "seconds");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `Operations acknowledged in each of the last ${series.length} seconds, at most ${top}`);
  series.forEach(([, count], at) => {
    const bar = document.createElementNS(space, "rect");
    const height = (38 * count) / top;
    bar.setAttribute("x", `${width - series.length + at}`);
    bar.setAttribute("y", `${40 - height}`);
    bar.setAttribute("width", "0.8");
    bar.setAttribute("height", `${height}`);
    svg.append(bar);
  });
  return svg;
}
