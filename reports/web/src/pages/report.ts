// Draws the plots of a report and lets readers move in time. Reads #data; loads nothing.
import { fitAll } from "../report/chart";
import { filter } from "../report/calls";
import { element } from "../report/data";
import { askedOfLogs } from "../report/logs";
import { drawLag, drawQueues, drawSeries } from "../report/series";
import { asked, drawTimeline, filtered, followAddress } from "../report/timeline";
import { move, showAround } from "../report/view";
import { forgetColours } from "../shared/theme";

const root = document.documentElement;
const PAPER = 680;

function toggled(button: HTMLElement): void {
  const { toggleF, toggleOutcome } = button.dataset;
  const set = toggleF === undefined ? filter.outcomes : filter.kinds;
  const code = Number(toggleF ?? toggleOutcome);
  const isShown = set.has(code);
  if (isShown) set.delete(code);
  else set.add(code);
  button.setAttribute("aria-pressed", String(isShown));
  filtered();
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

/** On paper everything is light, unfolded, and as wide as paper. */
function printed(isPrinting: boolean): void {
  root.classList.toggle("printing", isPrinting);
  forgetColours();
  if (isPrinting) {
    for (const folded of document.querySelectorAll("details")) folded.open = true;
  }
  fitAll(isPrinting ? PAPER : undefined);
}

const ACTIONS = "[data-from], [data-move], [data-toggle-f], [data-toggle-outcome], [data-copy]";
document.addEventListener("click", (event) => {
  const found = event.target instanceof Element && event.target.closest<HTMLElement>(ACTIONS);
  if (!found) return;
  const wanted = found.dataset;
  if (wanted["copy"]) void copied(found, wanted["copy"]);
  else if (wanted["move"]) move(wanted["move"]);
  else if (wanted["from"] !== undefined) showAround(Number(wanted["from"]), Number(wanted["to"]));
  else toggled(found);
});
document.addEventListener("input", (event) => {
  const { target } = event;
  if (!(target instanceof HTMLSelectElement || target instanceof HTMLInputElement)) return;
  if (target.dataset["filter"]) asked(target);
  if (target.dataset["log"]) askedOfLogs();
});
addEventListener("beforeprint", () => printed(true));
addEventListener("afterprint", () => printed(false));
addEventListener("hashchange", followAddress);

if (matchMedia("(max-width: 720px)").matches) {
  const logs = document.querySelectorAll<HTMLDetailsElement>(".violation .log");
  for (const folded of logs) folded.open = false;
}
drawTimeline();
drawSeries();
drawLag();
drawQueues();
followAddress();
root.dataset["ready"] = "true";
