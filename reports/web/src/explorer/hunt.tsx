// The search for a counterexample: begun here, run by the server, its findings opened with a click.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask } from "./api";
import { Link, START, stateUrl } from "./route";
import type { About, Found, Late, Told } from "./types";

const EVERY_MS = 500;

export function Hunt({ about }: { about: About }): JSX.Element {
  const [told, setTold] = useState<Told | null>(null);
  const [error, setError] = useState("");
  const running = told?.status === "running";
  const request = async (method: string): Promise<void> => {
    try {
      setTold(await ask<Told>("/api/hunt", method));
      setError("");
    } catch (refused) {
      setError((refused as Error).message);
    }
  };
  useEffect(() => void request("GET"), []);
  useEffect(() => {
    if (!running) return undefined;
    const timer = setInterval(() => void request("GET"), EVERY_MS);
    return () => clearInterval(timer);
  }, [running]);
  const over = told?.status === "done";
  return (
    <section class="hunt" aria-labelledby="hunt-title">
      <h2 id="hunt-title" class="heard">Explore</h2>
      {!over && (
        <p>
          <button
            type="button"
            class="button main"
            disabled={running}
            onClick={() => void request("POST")}
          >
            {about.mutant ? "Find a counterexample" : "Look for a counterexample"}
          </button>{" "}
          {running && (
            <button type="button" class="button" onClick={() => void request("DELETE")}>
              Give up
            </button>
          )}{" "}
          {told && <span class="quiet">{told.limits}</span>}
        </p>
      )}
      <div role="status">
        {error && <p class="alarm">{error}</p>}
        {running && told && <Progress told={told} />}
        {told && !running && told.sentence && <p class="verdict">{told.sentence}</p>}
        {told?.status === "failed" && !told.sentence && (
          <p class="alarm">The search failed: the terminal says why.</p>
        )}
      </div>
      {over && told.notes.map((note) => <p key={note}>{note}</p>)}
      {over && <p class="quiet">{told.statistics}</p>}
      {told && told.found.length > 0 && (
        <ul class="found">
          {told.found.map((found) => (
            <Finding key={`${found.kind} ${found.property} ${found.link}`} found={found} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Progress({ told }: { told: Told }): JSX.Element {
  return (
    <p class="quiet">
      Exploring: {told.states.toLocaleString("en")} states to depth {told.depth} in{" "}
      {told.seconds.toFixed(0)} s
    </p>
  );
}

const HEADS = { broken: "✕ broken", stuck: "✕ stuck", reached: "★ reached" };

function Finding({ found }: { found: Found }): JSX.Element {
  const steps = found.steps === 1 ? "1 step" : `${found.steps} steps`;
  return (
    <li>
      <span class={`state ${found.kind === "reached" ? "pass" : "fail"}`}>{HEADS[found.kind]}</span>{" "}
      <strong>{found.property}</strong> {found.reason}{" "}
      <span class="ways">
        <Link to={stateUrl(START, found.link)}>step through from the start</Link>
        {" · "}
        <Link to={stateUrl(found.link)}>
          {found.kind === "stuck" ? `where faults end, after ${steps}` : `the state after ${steps}`}
        </Link>
      </span>
      {found.kind === "stuck" && (
        <details>
          <summary>What happens then</summary>
          {!!found.then?.length && <Lates name="Then" late={found.then} />}
          {found.again?.length ? (
            <Lates name="And then for ever" late={found.again} />
          ) : (
            <p>And then nothing can happen any more.</p>
          )}
        </details>
      )}
    </li>
  );
}

function Lates({ name, late }: { name: string; late: Late[] }): JSX.Element {
  return (
    <>
      <h3>{name}</h3>
      <ol start={late[0]?.number ?? 1}>
        {late.map((step) => (
          <li key={step.number}>
            <strong>{step.who}</strong> {step.caption}
            {step.changes.length > 0 && <span class="detail">{step.changes.join("; ")}</span>}
          </li>
        ))}
      </ol>
    </>
  );
}
