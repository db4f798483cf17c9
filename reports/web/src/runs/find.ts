// Finds rows of the table after a search field, and says how many there are.

export function listen(): void {
  for (const place of document.querySelectorAll<HTMLElement>(".find")) {
    const field = place.querySelector<HTMLInputElement>("[data-find]");
    const table = place.parentElement?.querySelector("table");
    if (field === null || table == null) continue;
    place.hidden = false;
    field.addEventListener("input", () => find(table, field.value, place));
  }
}

function find(table: HTMLTableElement, wanted: string, place: HTMLElement): void {
  const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
  let found = 0;
  for (const row of rows) {
    const text = (row.cells[0]?.textContent ?? "").toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
    found += row.hidden ? 0 : 1;
  }
  const said = place.querySelector("[data-found]");
  if (said !== null) said.textContent = words.length === 0 ? "" : `${found} of ${rows.length}`;
}
