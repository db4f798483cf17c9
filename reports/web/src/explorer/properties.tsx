// What holds here, what broke, what was reached: as far as one state and its path can tell.
import type { JSX } from "preact";
import type { Said } from "./types";

const SIGNS: Record<string, [string, string]> = {
  broken: ["✕", "fail"],
  holds: ["✓", "pass"],
  reached: ["★", "pass"],
  progress: ["✓", "pass"],
  "not yet": ["…", "unknown"],
  open: ["?", "unknown"],
};
const ORDER = ["broken", "reached", "progress", "not yet", "open", "holds"];

export function Properties({ properties }: { properties: Said[] }): JSX.Element {
  const sorted = [...properties].sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status));
  const notable = sorted.filter((one) => one.status !== "holds");
  const holding = sorted.filter((one) => one.status === "holds");
  const broken = properties.filter((one) => one.status === "broken").length;
  return (
    <section aria-labelledby="properties-title">
      <h2 id="properties-title">Properties</h2>
      <p class="quiet">
        {broken
          ? `${broken} broken on this path.`
          : "Nothing is broken on this path. Other paths may break what holds here."}
      </p>
      {notable.length > 0 && <Table said={notable} />}
      {holding.length > 0 && (
        <details>
          <summary>
            {holding.length} {holding.length === 1 ? "holds" : "hold"} here
          </summary>
          <Table said={holding} />
        </details>
      )}
    </section>
  );
}

function Table({ said }: { said: Said[] }): JSX.Element {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Table of properties">
      <table class="stack properties">
        <thead>
          <tr>
            <th scope="col">Property</th>
            <th scope="col">Here</th>
            <th scope="col">Kind</th>
          </tr>
        </thead>
        <tbody>
          {said.map((one) => (
            <Row key={one.name} said={one} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ said }: { said: Said }): JSX.Element {
  const [sign, look] = SIGNS[said.status] ?? ["?", "unknown"];
  return (
    <tr class={said.status === "broken" ? "broken" : undefined}>
      <th scope="row" data-label="Property">
        {said.name}
        {said.promises.length > 0 && <span class="promises">{said.promises.join(", ")}</span>}
      </th>
      <td data-label="Here">
        <span class={`state ${look}`}>
          <span aria-hidden="true">{sign}</span> {said.status}
        </span>
        <span class="detail">{said.sentence}</span>
      </td>
      <td data-label="Kind">{said.kind}</td>
    </tr>
  );
}
