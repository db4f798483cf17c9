// Pages of the server: filters that need no button, two runs to compare, a list and a run to watch.
import { keepFresh } from "../runs/list";
import { watch } from "../runs/live";

for (const form of document.querySelectorAll<HTMLFormElement>("[data-filters]")) {
  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLSelectElement) form.requestSubmit();
  });
  // What asks for nothing has no place in an address that somebody sends to somebody.
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
  });
}

function ticked(): void {
  const ticks = [...document.querySelectorAll<HTMLInputElement>("input[name=run]")];
  const button = document.querySelector<HTMLButtonElement>("button[form=compare]");
  const count = ticks.filter((tick) => tick.checked).length;
  for (const tick of ticks) tick.disabled = count >= 2 && !tick.checked;
  if (button !== null) button.disabled = count !== 2;
}

addEventListener("change", ticked);
// The way back may restore ticks after this.
addEventListener("pageshow", ticked);
ticked();

for (const place of document.querySelectorAll<HTMLElement>("[data-list]")) keepFresh(place, ticked);
for (const place of document.querySelectorAll<HTMLElement>("[data-live]")) watch(place);
