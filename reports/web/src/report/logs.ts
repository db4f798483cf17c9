// The log of all members: lines of one, or those that hold all of the words.
import { element } from "./data";

let all = "";

/** Shows the lines that are asked for, and says how many they are. */
export function askedOfLogs(): void {
  const list = element("merged");
  const count = element("log-count");
  all ||= count.textContent ?? "";
  const node = (element("log-node") as HTMLSelectElement).value;
  const text = (element("log-text") as HTMLInputElement).value.toLowerCase();
  const words = text.split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const line of list.children as HTMLCollectionOf<HTMLElement>) {
    const said = (line.textContent ?? "").toLowerCase();
    line.hidden = !!node && line.dataset["node"] !== node;
    line.hidden ||= !words.every((word) => said.includes(word));
    shown += line.hidden ? 0 : 1;
  }
  const isSome = !!node || words.length > 0;
  list.classList.toggle("searched", isSome);
  count.textContent = isSome ? `${shown.toLocaleString("en")} of these ${all}` : all;
}
