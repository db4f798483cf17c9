// What may happen next: a list to read, to filter, and to walk with the arrow keys.
import type { JSX, TargetedKeyboardEvent } from "preact";
import { useState } from "preact/hooks";
import { Link, stateUrl } from "./route";
import type { Change, Choice } from "./types";

interface ChoicesProps {
  choices: Choice[];
  ends: string;
  trail: string;
}

const FEW = 5;

export function Choices({ choices, ends, trail }: ChoicesProps): JSX.Element {
  const [filter, setFilter] = useState("");
  const numbered = choices.map((choice, at) => ({ choice, number: at + 1 }));
  const wanted = numbered.filter(({ choice }) => matches(choice, filter));
  const moving = wanted.filter(({ choice }) => !choice.stays);
  const staying = wanted.filter(({ choice }) => choice.stays);
  return (
    <section class="events" aria-labelledby="events-title">
      <h2 id="events-title">What may happen next</h2>
      <p class="quiet">{ends || told(choices)}</p>
      {choices.length > FEW && (
        <label class="filter">
          Only events with
          <input
            type="search"
            value={filter}
            maxLength={200}
            placeholder="member 1"
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        </label>
      )}
      <List numbered={moving} trail={trail} />
      {staying.length > 0 && (
        <details>
          <summary>
            {staying.length} more {staying.length === 1 ? "changes" : "change"} nothing
          </summary>
          <List numbered={staying} trail={trail} />
        </details>
      )}
    </section>
  );
}

function told(choices: Choice[]): string {
  if (choices.length === 0) return "Nothing can happen any more.";
  const states = new Set(choices.filter((one) => !one.stays).map((one) => one.target)).size;
  const events = choices.length === 1 ? "1 event" : `${choices.length} events`;
  return `${events}, to ${states === 1 ? "1 other state" : `${states} other states`}.`;
}

function matches(choice: Choice, filter: string): boolean {
  const { who, caption, detail, name, cost = "", breaks = [], reaches = [], sends = [] } = choice;
  const said = `${who} ${caption} ${detail} ${name} ${cost}`;
  const more = [...breaks, ...reaches, ...sends].join(" ");
  return `${said} ${more}`.toLowerCase().includes(filter.trim().toLowerCase());
}

interface Numbered {
  choice: Choice;
  number: number;
}

function List({ numbered, trail }: { numbered: Numbered[]; trail: string }): JSX.Element {
  return (
    <ol class="choices" onKeyDown={walked}>
      {numbered.map(({ choice, number }) => (
        <li key={choice.address} value={number} class={choice.breaks?.length ? "breaks" : undefined}>
          <Link to={stateUrl(choice.address, trail)}>
            <strong>{choice.who}</strong> {choice.caption}
          </Link>
          <Badges choice={choice} />
          {choice.detail && <span class="detail">{choice.detail}</span>}
          <Effects choice={choice} />
        </li>
      ))}
    </ol>
  );
}

function Badges({ choice }: { choice: Choice }): JSX.Element {
  return (
    <>
      {choice.breaks?.map((name) => (
        <span key={name} class="badge fail">
          ✕ breaks {name}
        </span>
      ))}
      {choice.reaches?.map((name) => (
        <span key={name} class="badge pass">
          ★ reaches: {name}
        </span>
      ))}
      {choice.cost && <span class="badge">costs 1 {choice.cost}</span>}
      {choice.visited && !choice.stays && <span class="badge">visited</span>}
    </>
  );
}

function Effects({ choice }: { choice: Choice }): JSX.Element | null {
  const changes = choice.changes ?? [];
  const sends = choice.sends ?? [];
  if (!changes.length && !sends.length) return null;
  return (
    <ul class="effects">
      {changes.map((change, at) => (
        <li key={at}>
          <Effect change={change} mover={choice.who} />
        </li>
      ))}
      {sends.map((message, at) => (
        <li key={`sends ${at}`}>
          sends <code>{message}</code>
        </li>
      ))}
    </ul>
  );
}

function Effect({ change, mover }: { change: Change; mover: string }): JSX.Element {
  return (
    <>
      {change.of !== mover && `${change.of} `}
      {change.field} <del>{change.was}</del>
      <span aria-hidden="true"> → </span>
      <span class="heard"> becomes </span>
      <ins>{change.now}</ins>
    </>
  );
}

/** Arrow keys go from one event to the next; Enter is the browser's own. */
function walked(event: TargetedKeyboardEvent<HTMLOListElement>): void {
  const links = [...document.querySelectorAll<HTMLElement>(".choices a")].filter(
    (link) => link.offsetParent !== null,
  );
  const at = links.indexOf(document.activeElement as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
  const link = to === undefined ? undefined : links[to];
  if (at < 0 || !link) return;
  event.preventDefault();
  link.focus();
}
