// A state laid out: actors, network, budgets, observers.
import type { JSX } from "preact";
import type { Field, Held, Part } from "./types";

/** Actors side by side; what is as it was at the start can be unfolded. */
export function Parts({ parts }: { parts: Part[] }): JSX.Element {
  return (
    <div class="parts">
      {parts.map((part) => (
        <Card key={part.name} part={part} />
      ))}
    </div>
  );
}

function Card({ part }: { part: Part }): JSX.Element {
  const shown = part.fields.filter((field) => !field.usual || field.was !== undefined);
  const usual = part.fields.filter((field) => !shown.includes(field));
  return (
    <article class={part.moved ? "part moved" : "part"} aria-label={part.name}>
      <h3>
        {part.name} {part.moved && <span class="badge">moved</span>}
      </h3>
      {part.said && <p class="said">{part.said}</p>}
      {shown.length > 0 && <Fields fields={shown} />}
      {usual.length > 0 && (
        <details open={shown.length === 0 && !part.said}>
          <summary>
            {usual.length} {usual.length === 1 ? "field" : "fields"} as at the start
          </summary>
          <Fields fields={usual} />
        </details>
      )}
    </article>
  );
}

/** Names and values; a value that is new is marked, and says what it was. */
export function Fields({ fields, inline = false }: FieldsProps): JSX.Element {
  return (
    <dl class={inline ? "bounds" : "fields"}>
      {fields.map((field) => {
        const changed = field.was !== undefined && field.was !== null;
        return (
          <div key={field.name} class={changed ? "changed" : undefined}>
            <dt>{field.name}</dt>
            <dd>
              {changed && (
                <>
                  <del>
                    <span class="heard">was </span>
                    {field.was}
                  </del>
                  <span class="heard">, now </span>
                  <span aria-hidden="true"> → </span>
                </>
              )}
              {changed ? <ins>{field.text}</ins> : field.text}
            </dd>
          </div>
        );
      })}
    </dl>
  );
}

interface FieldsProps {
  fields: Field[];
  inline?: boolean;
}

interface MessagesProps {
  held: Held[];
  gone?: Held[];
  empty: string;
}

export function Messages({ held, gone = [], empty }: MessagesProps): JSX.Element {
  return (
    <>
      {held.length === 0 && <p class="quiet">{empty}</p>}
      {held.length > 0 && (
        <ul class="messages">
          {held.map((one, at) => (
            <li key={at} class={one.is_new ? "changed" : undefined}>
              <span class="between">
                {one.source} → {one.target}
              </span>{" "}
              <code>{one.text}</code> {one.is_new && <span class="badge">new</span>}
            </li>
          ))}
        </ul>
      )}
      {gone.length > 0 && (
        <ul class="messages" aria-label="Taken out by the last step">
          {gone.map((one, at) => (
            <li key={at}>
              <span class="between">
                {one.source} → {one.target}
              </span>{" "}
              <del>
                <code>{one.text}</code>
              </del>{" "}
              <span class="badge">taken</span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
