// One state of the model, and everything around it.
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Choices } from "./choices";
import { CopyLink } from "./copy";
import { Graph } from "./graph";
import { useLoaded } from "./load";
import { Fields, Messages, Parts } from "./parts";
import { Properties } from "./properties";
import { bare, passes, rename, START, stateUrl } from "./route";
import { Steps, Trail } from "./trail";
import type { About, Here } from "./types";

interface StateProps {
  about: About;
  address: string;
  trail: string;
  say: (sentence: string) => void;
}

export function StatePage({ about, address, trail, say }: StateProps): JSX.Element {
  const { value: here, error } = useLoaded<Here>(`/api/state/${encodeURIComponent(address)}`);
  const goal = passes(trail, address) ? trail : "";
  const { value: along } = useLoaded<Here>(goal ? `/api/state/${encodeURIComponent(goal)}` : null);
  const isHere = here !== null && bare(address) === here.address;
  const seen = useRef("");
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!here || !isHere || seen.current === here.link) return;
    const first = seen.current === "";
    seen.current = here.link;
    rename(stateUrl(here.link, goal));
    document.title = `${title(here)} · ${about.model} · Delphic`;
    say(`${title(here)}. ${told(here)}`);
    if (!first) (document.querySelector<HTMLElement>(".choices a") ?? heading.current)?.focus();
  }, [here, isHere, goal, about, say]);
  if (error) return <Nowhere error={error} />;
  if (!here) return <p class="quiet">Working out this state …</p>;
  const steps = along && passes(along.address, here.address) ? along.path : here.path;
  const walked = along && steps === along.path ? along.address : here.address;
  const last = here.path.at(-1);
  const broken = here.properties.filter((one) => one.status === "broken");
  return (
    <div aria-busy={!isHere}>
      <h1 tabIndex={-1} ref={heading}>
        {title(here)}
      </h1>
      {last && (
        <p class="came">
          <strong>{last.who}</strong> {last.caption}.
        </p>
      )}
      {broken.map((one) => (
        <p key={one.name} class="alarm">
          <strong>✕ {one.name}</strong> {one.promises.join(", ")} {one.sentence}
        </p>
      ))}
      <div class="tools">
        <Steps here={here} steps={steps} trail={walked} />
        <CopyLink />
      </div>
      <div class="columns">
        <div>
          <Choices key={here.address} choices={here.choices} ends={here.ends} trail={goal} />
        </div>
        <div>
          <section aria-labelledby="state-title">
            <h2 id="state-title">The state</h2>
            <Parts parts={here.actors} />
          </section>
          {about.network && (
            <section aria-labelledby="network-title">
              <h2 id="network-title">Network</h2>
              <p class="quiet">{network(about.network, here)}</p>
              <Messages held={here.network} gone={here.gone} empty="Nothing is in flight." />
            </section>
          )}
          {here.budgets.length > 0 && (
            <section aria-labelledby="budgets-title">
              <h2 id="budgets-title">Faults and other budgets left</h2>
              <Fields fields={here.budgets} inline />
            </section>
          )}
          {here.observers.length > 0 && (
            <section aria-labelledby="observers-title">
              <h2 id="observers-title">Observers</h2>
              <Parts parts={here.observers} />
            </section>
          )}
        </div>
      </div>
      <Graph here={here} trail={goal} />
      <Trail here={here} steps={steps} trail={walked} />
      <Properties properties={here.properties} />
    </div>
  );
}

function title(here: Here): string {
  return here.depth === 0 ? "The initial state" : `State after step ${here.depth}`;
}

function told(here: Here): string {
  const last = here.path.at(-1);
  const events = here.choices.length === 1 ? "1 event" : `${here.choices.length} events`;
  const broken = here.properties.filter((one) => one.status === "broken");
  return [
    last ? `${last.who} ${last.caption}.` : "",
    ...broken.map((one) => `${one.name}: ${one.sentence}`),
    here.ends || `${events} may follow.`,
  ].join(" ");
}

function network(kind: string, here: Here): string {
  const many = here.network.length === 1 ? "1 message" : `${here.network.length} messages`;
  const [name, size] = kind.split(":");
  if (name === "soup") return `${many}. Every message ever sent can still arrive, again and again.`;
  if (name === "bag") return `${many}, of at most ${size}. Each may be lost.`;
  return `${many} in queues of at most ${size}. A connection that breaks loses its queue.`;
}

function Nowhere({ error }: { error: string }): JSX.Element {
  return (
    <div role="alert">
      <h1>There is no such state here</h1>
      <p>{error}</p>
      <p>
        <a href={stateUrl(START)}>Begin at the initial state</a>
      </p>
    </div>
  );
}
