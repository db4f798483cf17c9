// Draws the plots of a report and lets readers move in time. Reads #data; loads nothing.
import { callTraces, hidden, witnesses } from "../report/calls";
import { data, element } from "../report/data";
import { move, plot, redraw, showAround } from "../report/plots";

const root = document.documentElement;

function toggled(button: HTMLElement): void {
  const { toggleF, toggleOutcome } = button.dataset;
  const set = toggleF === undefined ? hidden.outcome : hidden.f;
  const code = toggleF === undefined ? Number(toggleOutcome) : Math.min(Number(toggleF), 2);
  const isShown = set.has(code);
  if (isShown) set.delete(code);
  else set.add(code);
  button.setAttribute("aria-pressed", String(isShown));
  redraw();
}

async function copied(button: HTMLElement, id: string): Promise<void> {
  const source = element(id);
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(source.textContent ?? "");
  } else {
    getSelection()?.selectAllChildren(source);
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => {
    button.textContent = "Copy";
  }, 1500);
}

const ACTIONS = "[data-from], [data-move], [data-toggle-f], [data-toggle-outcome], [data-copy]";
document.addEventListener("click", (event) => {
  const found = event.target instanceof Element && event.target.closest<HTMLElement>(ACTIONS);
  if (!found) return;
  const asked = found.dataset;
  if (asked["copy"]) void copied(found, asked["copy"]);
  else if (asked["move"]) move(asked["move"]);
  else if (asked["from"] !== undefined) showAround(Number(asked["from"]), Number(asked["to"]));
  else toggled(found);
});
addEventListener("beforeprint", () => {
  root.classList.add("printing");
  for (const folded of document.querySelectorAll("details")) folded.open = true;
  redraw(680);
});
addEventListener("afterprint", () => {
  root.classList.remove("printing");
  redraw();
});

if (matchMedia("(max-width: 720px)").matches) {
  const logs = document.querySelectorAll<HTMLDetailsElement>(".violation .log");
  for (const folded of logs) folded.open = false;
}
const ringed = witnesses();
plot("timeline-plot", data.timeline, 0, (width) => ({
  traces: [...callTraces(width), ...ringed.traces],
  names: ringed.names,
}));
plot("series-plot", data.series, 12 * data.bin, () => ({ traces: [], names: [] }));
plot("lag-plot", data.lag, 0, () => ({ traces: [], names: [] }));
root.dataset["ready"] = "true";
