// The explorer: what is explored, where the reader is in it, and what can be asked about all of it.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { Copy } from "./copy";
import { Hunt } from "./hunt";
import { useLoaded } from "./load";
import { Link, runUrl, START, stateUrl, useRoute } from "./route";
import { RunPage } from "./runpage";
import { Search } from "./search";
import { StatePage } from "./statepage";
import type { About } from "./types";

export function App(): JSX.Element {
  const route = useRoute();
  const [said, say] = useState("");
  const { value: about, error } = useLoaded<About>("/api/model");
  if (error) {
    return (
      <main>
        <div role="alert">
          <h1>Nothing to show</h1>
          <p>{error}</p>
        </div>
      </main>
    );
  }
  if (!about) return <main aria-busy="true" />;
  return (
    <>
      <Bar about={about} inRun={route.page === "run"} />
      <main id="main" tabIndex={-1}>
        <p class="heard" role="status">
          {said}
        </p>
        {route.page === "state" && (
          <div class="asking">
            <Hunt about={about} />
            <Search />
          </div>
        )}
        {route.page === "state" && <StatePage about={about} {...route} say={say} />}
        {route.page === "run" && <RunPage {...route} say={say} />}
        {route.page === "unknown" && (
          <div role="alert">
            <h1>There is no such page</h1>
            <p>
              <Link to={stateUrl(START)}>Begin at the initial state</Link>
            </p>
          </div>
        )}
      </main>
      <footer>
        <p>
          This server again, for links to open: <code>{about.command}</code>{" "}
          <Copy name="Copy command" text={() => about.command} />
        </p>
      </footer>
    </>
  );
}

function Bar({ about, inRun }: { about: About; inRun: boolean }): JSX.Element {
  return (
    <section class="bar" aria-label="What is explored">
      <p>
        <strong>{about.model}</strong> {about.title}
      </p>
      {about.mutant && (
        <p class="mutant">
          <span class="badge fail">mutant {about.mutant.name}</span> {about.mutant.mistake} (
          {about.mutant.source}; breaks {about.mutant.breaks})
        </p>
      )}
      <details>
        <summary>
          Bounds:{" "}
          {about.bounds
            .filter(([, value]) => value !== "0" && value !== "false")
            .map(([name, value]) => `${name}=${value}`)
            .join(" ")}
          {about.network && ` network=${about.network}`}
        </summary>
        <dl class="bounds">
          {about.bounds.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </details>
      {about.run && (
        <nav class="walk" aria-label="Model or run">
          <Link to={stateUrl(START)} class="button" current={!inRun}>
            The model
          </Link>
          <Link to={runUrl(0, 0)} class="button" current={inRun}>
            The run {about.run.split("/").filter(Boolean).at(-1)}
          </Link>
        </nav>
      )}
    </section>
  );
}
