// The list of runs as it changes: rows come, go and change; what somebody does there meanwhile stays.
import { follow, say } from "./stream";

interface Told {
  html: string;
}

export function keepFresh(place: HTMLElement, changed: () => void): void {
  const address = place.dataset["list"];
  if (address === undefined) return;
  follow<Told>(
    address,
    ({ html }) => {
      update(place, new DOMParser().parseFromString(html, "text/html").body);
      changed();
    },
    (text) => {
      const status = place.querySelector("[role=status]");
      if (status !== null) say(status, text);
    },
  );
}

/** Both hold a form, a status, the list and the pages of it. */
function update(place: HTMLElement, fresh: HTMLElement): void {
  const [form, status, list, pages] = place.children;
  const [newForm, newStatus, newList, newPages] = fresh.children;
  if (!form || !status || !list || !pages || !newForm || !newStatus || !newList || !newPages) return;
  options(form, newForm);
  say(status, newStatus.textContent ?? "");
  const hold = held(list);
  const [rows, newRows] = [list.querySelector("tbody"), newList.querySelector("tbody")];
  if (rows !== null && newRows !== null) merge(rows, newRows);
  else if (list.innerHTML !== newList.innerHTML) list.replaceChildren(...newList.childNodes);
  replace(pages, newPages);
  hold();
}

/** How many there are of each; a choice that is open, or made and not asked for yet, stays. */
function options(form: Element, fresh: Element): void {
  for (const select of form.querySelectorAll("select")) {
    const other = fresh.querySelector<HTMLSelectElement>(`select[name="${select.name}"]`);
    if (other === null || select === document.activeElement || select.innerHTML === other.innerHTML) continue;
    const chosen = select.value;
    select.replaceChildren(...other.childNodes);
    select.value = chosen;
  }
}

/** The same rows by the names of their runs. Who is ticked stays, even if it is no longer on this page. */
function merge(rows: HTMLElement, fresh: HTMLElement): void {
  const known = new Map([...rows.children].map((row) => [(row as HTMLElement).dataset["run"], row]));
  const next: Element[] = [];
  for (const row of [...fresh.children]) {
    const name = (row as HTMLElement).dataset["run"];
    const old = known.get(name);
    known.delete(name);
    if (old !== undefined) replace(old, row);
    next.push(old ?? row);
  }
  next.push(...[...known.values()].filter((row) => row.querySelector("input:checked") !== null));
  for (const row of [...rows.children]) if (!next.includes(row)) row.remove();
  for (const [at, row] of next.entries()) {
    // One that stays where it is keeps the focus within it.
    if (rows.children[at] !== row) rows.insertBefore(row, rows.children[at] ?? null);
  }
}

/** Of what has changed the content, but ticks and the focus, which stay with what is now there instead. */
function replace(old: Element, fresh: Element): void {
  if (old.innerHTML === fresh.innerHTML) return;
  const parts = (within: Element) => [...within.querySelectorAll<HTMLElement>("a, input")];
  const focused = parts(old).findIndex((part) => part === document.activeElement);
  const tick = old.querySelector("input");
  old.replaceChildren(...fresh.childNodes);
  if (tick !== null) old.querySelector("input")?.replaceWith(tick);
  parts(old)[focused]?.focus({ preventScroll: true });
}

/** Remembers the row that somebody points at, or is in, or sees first; and brings it back to where it was. */
function held(list: Element): () => void {
  const rows = [...list.querySelectorAll<HTMLElement>("tbody tr")];
  const active = document.activeElement;
  const row =
    rows.find((one) => one.matches(":hover")) ??
    rows.find((one) => one.contains(active)) ??
    (scrollY > 0 ? rows.find((one) => one.getBoundingClientRect().bottom > 0) : undefined);
  const top = row?.getBoundingClientRect().top ?? 0;
  const focused = active instanceof HTMLElement && list.contains(active) ? active : undefined;
  return () => {
    if (row?.isConnected) scrollBy({ top: row.getBoundingClientRect().top - top, behavior: "instant" });
    // Who was in a row that has gone, or that was moved, is not thrown back to the beginning of the page.
    if (focused === undefined || document.activeElement !== document.body) return;
    const stays = focused.isConnected ? focused : list.querySelector<HTMLElement>("[tabindex]");
    stays?.focus({ preventScroll: true });
  };
}
