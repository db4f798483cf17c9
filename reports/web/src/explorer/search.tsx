// Finds visited states by the words in them.
import type { JSX, TargetedSubmitEvent } from "preact";
import { useState } from "preact/hooks";
import { ask } from "./api";
import { Link, stateUrl } from "./route";
import type { Hits } from "./types";

export function Search(): JSX.Element {
  const [hits, setHits] = useState<Hits | null>(null);
  const [error, setError] = useState("");
  const search = async (event: TargetedSubmitEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const query = String(new FormData(event.currentTarget).get("q") ?? "");
    try {
      setHits(await ask<Hits>(`/api/search?q=${encodeURIComponent(query)}`));
      setError("");
    } catch (refused) {
      setHits(null);
      setError((refused as Error).message);
    }
  };
  return (
    <section class="search" aria-labelledby="search-title">
      <h2 id="search-title" class="heard">Search visited states</h2>
      <form role="search" onSubmit={(event) => void search(event)}>
        <label>
          Visited states with{" "}
          <input type="search" name="q" maxLength={200} placeholder="role=leader, term=2 …" />
        </label>{" "}
        <button type="submit" class="button">
          Search
        </button>
      </form>
      <div role="status">
        {error && <p class="alarm">{error}</p>}
        {hits && (
          <p class="quiet">
            {hits.total} of {hits.visited} visited states
            {hits.total > hits.hits.length ? `, the first ${hits.hits.length}` : ""}
          </p>
        )}
      </div>
      {hits && hits.hits.length > 0 && (
        <ul class="found">
          {hits.hits.map((hit) => (
            <li key={hit.address}>
              <Link to={stateUrl(hit.address)}>
                {hit.depth}: {hit.title}
              </Link>
              <span class="detail">{hit.excerpt}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
