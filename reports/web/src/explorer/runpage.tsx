// The path of the model that a real run makes, step by step, and where the two part.
import type { JSX, TargetedSubmitEvent } from "preact";
import { useEffect, useState } from "preact/hooks";
import { CopyLink } from "./copy";
import { useLoaded } from "./load";
import { Messages, Parts } from "./parts";
import { Properties } from "./properties";
import { Link, go, runUrl } from "./route";
import type { Lines, Parting, RunAbout, RunStep } from "./types";

interface RunProps {
  path: number;
  step: number;
  say: (sentence: string) => void;
}

const BEFORE = 5;

export function RunPage({ path, step, say }: RunProps): JSX.Element {
  const { value: run, error: runError } = useLoaded<RunAbout>("/api/run");
  const { value: at, error } = useLoaded<RunStep>(`/api/run/${path}/${step}`);
  const isHere = at !== null && at.path === path && at.number === step;
  useEffect(() => {
    if (!at || !isHere) return;
    document.title = `${title(at)} · run · Delphic`;
    say(`${title(at)}. ${at.who} ${at.caption}`);
  }, [at, isHere, say]);
  const refused = runError || error;
  if (refused) {
    return (
      <div role="alert">
        <h1>There is no such step</h1>
        <p>{refused}</p>
      </div>
    );
  }
  if (!run || !at) return <p class="quiet">Reading the run's traces …</p>;
  return (
    <div aria-busy={!isHere}>
      <h1>{title(at)}</h1>
      <p class="quiet">
        Of {run.scenario}, {run.paths[path]?.name}. {run.sentence}
      </p>
      {run.paths.length > 1 && <Paths run={run} path={path} />}
      <div class="tools">
        <Walk at={at} partings={run.paths[path]?.partings ?? []} />
        <CopyLink />
      </div>
      {at.number > 0 && <What at={at} />}
      {at.partings.map((parting, n) => (
        <Parted key={n} parting={parting} at={at} />
      ))}
      <div class="columns">
        <div>
          <StepsOf path={path} step={step} key={path} />
        </div>
        <div>
          <section aria-labelledby="state-title">
            <h2 id="state-title">The model's state</h2>
            <Parts parts={at.actors} />
          </section>
          <section aria-labelledby="network-title">
            <h2 id="network-title">In flight, and going to arrive</h2>
            <Messages held={at.network} empty="Nothing." />
            <p class="quiet">{at.lost.toLocaleString("en")} messages so far never arrive.</p>
          </section>
        </div>
      </div>
      {at.properties.length > 0 && <Properties properties={at.properties} />}
    </div>
  );
}

function title(at: RunStep): string {
  return at.number === 0 ? "Before the run's first step" : `Step ${at.number} of the run`;
}

function Paths({ run, path }: { run: RunAbout; path: number }): JSX.Element {
  return (
    <nav aria-label="Groups of the run" class="walk">
      {run.paths.map((one, number) => (
        <Link key={number} to={runUrl(number, 0)} current={number === path} class="button">
          {one.name}
        </Link>
      ))}
    </nav>
  );
}

function Walk({ at, partings }: { at: RunStep; partings: Parting[] }): JSX.Element {
  const next = partings.find((one) => one.number > at.number);
  const stops: [string, number, boolean][] = [
    ["« First", 0, at.number > 0],
    ["‹ Back a step", at.number - 1, at.number > 0],
    ["› On a step", at.number + 1, at.number < at.total],
    ["» Last", at.total, at.number < at.total],
  ];
  const jump = (event: TargetedSubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const wanted = Number(new FormData(event.currentTarget).get("step"));
    if (Number.isSafeInteger(wanted)) go(runUrl(at.path, Math.min(Math.max(wanted, 0), at.total)));
  };
  return (
    <nav class="walk" aria-label="Along the run">
      {stops.map(([name, number, possible]) =>
        possible ? (
          <Link key={name} to={runUrl(at.path, number)} class="button">
            {name}
          </Link>
        ) : (
          <span key={name} class="button off" aria-disabled="true">
            {name}
          </span>
        ),
      )}
      {next && (
        <Link to={runUrl(at.path, next.number)} class="button main">
          ✕ Next divergence: step {next.number}
        </Link>
      )}
      <form onSubmit={jump}>
        <label>
          Step{" "}
          <input key={at.number} name="step" type="number" min="0" max={at.total} defaultValue={String(at.number)} />
          {` of ${at.total.toLocaleString("en")} `}
        </label>
        <button type="submit" class="button">
          Go
        </button>
      </form>
    </nav>
  );
}

/** What the run says happened, what that is in the model, and what the member says to be. */
function What({ at }: { at: RunStep }): JSX.Element {
  return (
    <section aria-labelledby="what-title" class="what">
      <h2 id="what-title">What happened</h2>
      <dl class="fields">
        <div>
          <dt>in the run</dt>
          <dd>
            <strong>{at.who}</strong> {at.caption}{" "}
            <span class="quiet">
              {at.at_s === null ? "" : `${at.at_s.toFixed(4)} s, `}
              {at.place}
            </span>
          </dd>
        </div>
        <div>
          <dt>in the model</dt>
          <dd>
            {at.explained.length === 0
              ? unexplained(at)
              : at.explained.map((step, n) => <div key={n}>{step}</div>)}
          </dd>
        </div>
        <div>
          <dt>{at.who} says</dt>
          <dd>{at.said.map((field) => `${field.name} ${field.text}`).join(", ")}</dd>
        </div>
      </dl>
    </section>
  );
}

function unexplained(at: RunStep): string {
  const parted = at.partings.some((one) => one.who === at.who && one.rule !== "promise");
  return parted ? "no step that does the same" : "no step: nothing changes";
}

function Parted({ parting, at }: { parting: Parting; at: RunStep }): JSX.Element {
  const now = parting.number === at.number;
  if (!now) {
    return (
      <p class="alarm">
        ✕ {parting.who} parted from the model at{" "}
        <Link to={runUrl(at.path, parting.number)}>step {parting.number}</Link>: its state below is
        the last one agreed.
      </p>
    );
  }
  return (
    <section class="parted" aria-label={`${parting.who} parts from the model`}>
      <p class="alarm">
        <strong>✕ {parting.promises.length ? "A promise breaks" : "Not a step of the model"}</strong>{" "}
        {parting.promises.join(", ")} {parting.reason}
      </p>
      {parting.properties.length > 0 && (
        <p>In the model such a step breaks: {parting.properties.join(", ")}.</p>
      )}
      {parting.sides.length > 0 && <Sides sides={parting.sides} />}
    </section>
  );
}

const HEADS = ["", "last agreed", "then, in the model", "then, in the implementation"];

function Sides({ sides }: { sides: string[][] }): JSX.Element {
  const differs = (row: string[]): boolean => !!row[2] && !!row[3] && row[2] !== row[3];
  const sorted = [...sides].sort((a, b) => Number(differs(b)) - Number(differs(a)));
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Model and implementation">
      <table class="stack sides">
        <caption>Model and implementation, side by side; what differs comes first</caption>
        <thead>
          <tr>
            {HEADS.map((head) => (
              <th key={head} scope="col">
                {head || "what"}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sorted.map((row) => (
            <tr key={row[0]} class={differs(row) ? "broken" : undefined}>
              <th scope="row">
                {row[0]} {differs(row) && <span class="badge fail">✕ differs</span>}
              </th>
              {row.slice(1).map((text, n) => (
                <td key={n} data-label={HEADS[n + 1]}>
                  {text}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Steps around this one, or those in which words occur. */
function StepsOf({ path, step }: { path: number; step: number }): JSX.Element {
  const [query, setQuery] = useState("");
  const [from, setFrom] = useState<number | null>(null);
  useEffect(() => setFrom(null), [step, query]);
  const begin = from ?? (query ? 0 : Math.max(0, step - BEFORE));
  const { value, error } = useLoaded<Lines>(
    `/api/run/${path}/steps?from=${begin}&q=${encodeURIComponent(query)}`,
  );
  const search = (event: TargetedSubmitEvent<HTMLFormElement>): void => {
    event.preventDefault();
    setQuery(String(new FormData(event.currentTarget).get("q") ?? ""));
  };
  return (
    <section aria-labelledby="steps-title">
      <h2 id="steps-title">Steps</h2>
      <form role="search" onSubmit={search}>
        <label>
          Only steps with <input type="search" name="q" maxLength={200} placeholder="n1 timer" />
        </label>{" "}
        <button type="submit" class="button">
          Search
        </button>
      </form>
      {error && <p class="alarm">{error}</p>}
      {value && value.lines.length === 0 && <p class="quiet">None.</p>}
      <ol class="trail lines">
        {value?.lines.map((line) => (
          <li
            key={line.number}
            value={line.number}
            class={line.number === step ? "current" : line.mark ? "breaks" : undefined}
          >
            <Link to={runUrl(path, line.number)} current={line.number === step}>
              <strong>{line.who}</strong> {line.caption}
            </Link>{" "}
            {line.mark && <span class="badge fail">✕ {line.mark}</span>}
          </li>
        ))}
      </ol>
      {value?.following != null && (
        <button type="button" class="button" onClick={() => setFrom(value.following)}>
          More, from step {value.following}
        </button>
      )}
    </section>
  );
}
