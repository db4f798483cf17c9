// The neighbourhood of a state as a picture: where one came from, and where one may go.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { followed, stateUrl } from "./route";
import type { Choice, Here } from "./types";

const ROWS_MAX = 12;
const ROW = 34;
const NARROW = "(max-width: 720px)";

/** A state that one step leads to: by these events, of which the one shown is the one that says most. */
interface Target {
  choice: Choice;
  numbers: number[];
  breaks: string[];
  reaches: string[];
}

export function Graph({ here, trail }: { here: Here; trail: string }): JSX.Element {
  const narrow = useNarrow();
  const targets = grouped(here.choices);
  const shown = targets.slice(0, ROWS_MAX);
  const before = here.path.at(-1);
  const width = narrow ? 340 : 860;
  const height = Math.max(3, shown.length) * ROW + 8;
  const middle = height / 2;
  const at = { back: narrow ? 34 : 120, here: narrow ? 140 : 300, next: narrow ? 230 : 470 };
  return (
    <section aria-labelledby="graph-title">
      <h2 id="graph-title">Neighbourhood</h2>
      <p class="quiet">{inWords(here, targets)}</p>
      <svg
        class="graph"
        viewBox={`0 0 ${width} ${height}`}
        role="group"
        aria-labelledby="graph-title"
      >
        {before && (
          <>
            <path class="edge" d={`M ${at.back} ${middle} H ${at.here}`} />
            <Node
              x={at.back}
              y={middle}
              to={stateUrl(parentOf(here), trail || here.address)}
              label={`Back to the state ${here.depth === 1 ? "at the start" : `after step ${here.depth - 1}`}`}
              mark={String(here.depth - 1)}
            />
          </>
        )}
        {shown.map((target, row) => {
          const y = middle + (row - (shown.length - 1) / 2) * ROW;
          return (
            <path
              key={target.choice.address}
              class={`edge ${look(target)}`}
              d={`M ${at.here} ${middle} C ${at.here + 70} ${middle}, ${at.next - 70} ${y}, ${at.next} ${y}`}
            />
          );
        })}
        <g>
          <circle class="node here" cx={at.here} cy={middle} r="15" />
          <text class="mark on" x={at.here} y={middle + 4}>
            {here.depth}
          </text>
        </g>
        {shown.map((target, row) => {
          const y = middle + (row - (shown.length - 1) / 2) * ROW;
          return (
            <Node
              key={target.choice.address}
              x={at.next}
              y={y}
              to={stateUrl(target.choice.address, trail)}
              label={spoken(target)}
              look={look(target)}
              mark={sign(target)}
              caption={narrow ? short(target.numbers) : words(target)}
            />
          );
        })}
      </svg>
    </section>
  );
}

interface NodeProps {
  x: number;
  y: number;
  to: string;
  label: string;
  mark: string;
  look?: string;
  caption?: string;
}

function Node({ x, y, to, label, mark, look = "", caption }: NodeProps): JSX.Element {
  return (
    <a href={to} aria-label={label} onClick={(event) => followed(event, to)}>
      <title>{label}</title>
      <circle class={`node ${look}`} cx={x} cy={y} r="12" />
      <text class="mark" x={x} y={y + 4}>
        {mark}
      </text>
      {caption && (
        <text class="caption" x={x + 20} y={y + 4}>
          {caption}
        </text>
      )}
    </a>
  );
}

/** Events that lead to the same state are one edge; those that change nothing are none. */
function grouped(choices: Choice[]): Target[] {
  const found = new Map<number, Target>();
  choices.forEach((choice, at) => {
    if (choice.stays) return;
    const { breaks = [], reaches = [] } = choice;
    const target = found.get(choice.target);
    if (!target) {
      found.set(choice.target, { choice, numbers: [at + 1], breaks: [...breaks], reaches: [...reaches] });
      return;
    }
    // Properties of steps may see a difference between events that lead to the same state.
    if (breaks.length && !target.breaks.length) target.choice = choice;
    target.numbers.push(at + 1);
    target.breaks.push(...breaks.filter((name) => !target.breaks.includes(name)));
    target.reaches.push(...reaches.filter((name) => !target.reaches.includes(name)));
  });
  return [...found.values()];
}

function inWords(here: Here, targets: Target[]): string {
  const count = (number: number, what: string): string =>
    `${number} ${what}${number === 1 ? "" : "s"}`;
  const broken = here.choices.filter((one) => one.breaks?.length).length;
  const visited = targets.filter((one) => one.choice.visited).length;
  const beyond = targets.length - ROWS_MAX;
  return [
    here.depth ? `State ${here.depth} of this path.` : "The initial state.",
    `One step leads to ${count(targets.length, "state")}` +
      (visited ? `, of which ${visited} ${visited === 1 ? "was" : "were"} visited` : "") +
      (broken ? `; ${count(broken, "step")} ${broken === 1 ? "breaks" : "break"} a property` : "") +
      ".",
    beyond > 0 ? `The picture shows ${ROWS_MAX}; the list of events has all.` : "",
    "Numbers are those of the events in the list.",
  ]
    .filter(Boolean)
    .join(" ");
}

function look({ choice, breaks, reaches }: Target): string {
  if (breaks.length) return "broken";
  if (reaches.length) return "reached";
  return choice.visited ? "visited" : "";
}

function sign(target: Target): string {
  return { broken: "✕", reached: "★", visited: "✓" }[look(target)] ?? "";
}

function short(numbers: number[]): string {
  return numbers.length > 3 ? `${numbers.slice(0, 3).join(", ")} …` : numbers.join(", ");
}

const WIDE = 54;

/** Cut between words: what is read aloud begins with what is seen. */
function words({ choice, numbers }: Target): string {
  const text = `${short(numbers)}. ${choice.who} ${choice.caption}`;
  return text.length > WIDE ? text.slice(0, text.lastIndexOf(" ", WIDE)) : text;
}

function spoken({ choice, numbers, breaks, reaches }: Target): string {
  const marks = [
    ...breaks.map((name) => `breaks ${name}`),
    ...reaches.map((name) => `reaches: ${name}`),
    ...(choice.visited ? ["visited"] : []),
    ...(numbers.length > 1 ? [`the same by ${numbers.length} events`] : []),
  ];
  return [`${short(numbers)}. ${choice.who} ${choice.caption}`, ...marks].join("; ");
}

function parentOf(here: Here): string {
  return here.path.at(-2)?.address ?? "start";
}

function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(() => matchMedia(NARROW).matches);
  useEffect(() => {
    const query = matchMedia(NARROW);
    const changed = (): void => setNarrow(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  return narrow;
}
