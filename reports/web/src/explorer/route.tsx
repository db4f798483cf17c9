// Where the reader is: the address bar, so that back, forward and copied links do what they say.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

export type Route =
  | { page: "state"; address: string; trail: string }
  | { page: "run"; path: number; step: number }
  | { page: "unknown" };

export const START = "start";

export function parse(url: URL): Route {
  const [, page = "", ...rest] = url.pathname.split("/");
  if (page === "") return { page: "state", address: START, trail: "" };
  if (page === "state" && rest.length === 1) {
    const address = decoded(rest[0] ?? "");
    return { page: "state", address: address || START, trail: url.searchParams.get("of") ?? "" };
  }
  if (page === "run") {
    const [path, step] = rest.map(Number);
    if (rest.length <= 2 && whole(path ?? 0) && whole(step ?? 0)) {
      return { page: "run", path: path ?? 0, step: step ?? 0 };
    }
  }
  return { page: "unknown" };
}

function whole(number: number): boolean {
  return Number.isSafeInteger(number) && number >= 0;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Addresses without their check, which tells of the model and not of the way. */
export function bare(address: string): string {
  return address.split("~")[0] ?? "";
}

/** Whether a path leads through a state, or ends there. */
export function passes(trail: string, address: string): boolean {
  const [way, at] = [bare(trail), bare(address)];
  return at === START || way === at || way.startsWith(`${at}.`);
}

/** The address of a state; `trail` is a longer path through it that the reader walks along. */
export function stateUrl(address: string, trail = ""): string {
  const path = `/state/${encodeURIComponent(address)}`;
  const beyond = trail !== "" && bare(trail) !== bare(address) && passes(trail, address);
  return beyond ? `${path}?of=${encodeURIComponent(bare(trail))}` : path;
}

export function runUrl(path: number, step: number): string {
  return `/run/${path}/${step}`;
}

const MOVED = "explorer-moved";

export function go(url: string): void {
  history.pushState(null, "", url);
  dispatchEvent(new Event(MOVED));
}

/** Says the same place by a better name. */
export function rename(url: string): void {
  if (url !== location.pathname + location.search) history.replaceState(null, "", url);
}

export function useRoute(): Route {
  const [route, setRoute] = useState(() => parse(new URL(location.href)));
  useEffect(() => {
    const moved = (): void => setRoute(parse(new URL(location.href)));
    addEventListener("popstate", moved);
    addEventListener(MOVED, moved);
    return () => {
      removeEventListener("popstate", moved);
      removeEventListener(MOVED, moved);
    };
  }, []);
  return route;
}

interface LinkProps {
  to: string;
  children: ComponentChildren;
  class?: string;
  current?: boolean;
  label?: string;
  rel?: string;
}

/** A link that opens in another tab if that is asked for, and loads nothing anew if not. */
export function Link({ to, children, current, label, ...rest }: LinkProps): JSX.Element {
  return (
    <a
      href={to}
      aria-current={current ? "page" : undefined}
      aria-label={label}
      onClick={(event) => followed(event, to)}
      {...rest}
    >
      {children}
    </a>
  );
}

export function followed(event: MouseEvent, to: string): void {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(to);
}
