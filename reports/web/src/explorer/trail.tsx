// The path that the reader walks along, and the buttons that walk it.
import type { JSX } from "preact";
import { bare, Link, START, stateUrl } from "./route";
import type { Here, Step } from "./types";

const SHOWN = 14;

interface TrailProps {
  here: Here;
  steps: Step[];
  trail: string;
}

export function Steps({ here, steps, trail }: TrailProps): JSX.Element {
  const address = (depth: number): string => (depth ? (steps[depth - 1]?.address ?? START) : START);
  const last = steps.length;
  const stops: [string, string, number, boolean][] = [
    ["«", "Start", 0, here.depth > 0],
    ["‹", "Back a step", here.depth - 1, here.depth > 0],
    ["›", "On a step", here.depth + 1, here.depth < last],
    ["»", "End of this path", last, here.depth < last],
  ];
  return (
    <nav class="walk" aria-label="Along the path">
      {stops.map(([sign, name, depth, possible]) =>
        possible ? (
          <Link key={name} to={stateUrl(address(depth), trail)} class="button">
            <span aria-hidden="true">{sign}</span> {name}
          </Link>
        ) : (
          <span key={name} class="button off" aria-disabled="true">
            <span aria-hidden="true">{sign}</span> {name}
          </span>
        ),
      )}
    </nav>
  );
}

export function Trail({ here, steps, trail }: TrailProps): JSX.Element {
  return (
    <section aria-labelledby="path-title">
      <h2 id="path-title">The path</h2>
      <details open={steps.length <= SHOWN}>
        <summary>
          {steps.length === 0
            ? "No step yet"
            : `${steps.length} ${steps.length === 1 ? "step" : "steps"}, you are after step ${here.depth}`}
        </summary>
        <ol class="trail" start={0}>
          <li class={here.depth === 0 ? "current" : undefined}>
            <Link to={stateUrl(START, trail)} current={here.depth === 0}>
              the start
            </Link>
          </li>
          {steps.map((step) => (
            <li
              key={step.number}
              class={
                bare(step.address) === here.address ? "current" : step.breaks?.length ? "breaks" : undefined
              }
            >
              <Link to={stateUrl(step.address, trail)} current={step.number === here.depth}>
                <strong>{step.who}</strong> {step.caption}
              </Link>{" "}
              {step.breaks?.map((name) => (
                <span key={name} class="badge fail">
                  ✕ breaks {name}
                </span>
              ))}
            </li>
          ))}
        </ol>
      </details>
    </section>
  );
}
