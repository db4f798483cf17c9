// Light, dark, or as the reader's system has it: kept for all pages of one origin.

export type Theme = "auto" | "light" | "dark";

const KEY = "delphic-theme";
const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };
const NAMES: Record<Theme, string> = { auto: "auto, as the system", light: "light", dark: "dark" };
const SIGNS: Record<Theme, string> = { auto: "◐", light: "☀", dark: "☾" };

/** What was chosen; pages that may keep nothing always begin as the system has it. */
export function chosen(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "auto";
  } catch {
    return "auto";
  }
}

/** Shows the page so, and tells whoever draws by hand. */
export function choose(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // A page of a file may keep nothing: the choice then holds until it is closed.
  }
  apply(theme);
  dispatchEvent(new Event("delphic-theme"));
}

export function apply(theme: Theme): void {
  const root = document.documentElement;
  if (theme === "auto") delete root.dataset["theme"];
  else root.dataset["theme"] = theme;
  for (const button of document.querySelectorAll<HTMLElement>("[data-theme-switch]")) {
    button.textContent = `${SIGNS[theme]} ${theme}`;
    button.setAttribute("aria-label", `Colours: ${NAMES[theme]}. Switch to ${NAMES[NEXT[theme]]}.`);
  }
}

/** Calls back whenever colours change, whoever changed them. */
export function onColours(changed: () => void): void {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
  addEventListener("delphic-theme", changed);
}

const found = new Map<string, string>();
let probe: HTMLElement | undefined;

/** The colour that a CSS variable stands for now: variables here may depend on the scheme. */
export function colour(name: string): string {
  let now = found.get(name);
  if (now === undefined) {
    probe ??= document.body.appendChild(document.createElement("i"));
    probe.hidden = true;
    probe.style.color = `var(${name})`;
    now = getComputedStyle(probe).color;
    found.set(name, now);
  }
  return now;
}

/** Colours are looked up anew: they are about to be others. */
export function forgetColours(): void {
  found.clear();
}
onColours(forgetColours);

export function following(theme: Theme): Theme {
  return NEXT[theme];
}
