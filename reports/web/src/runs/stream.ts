// What the server goes on telling: the newest state of something, again and again.

const SILENT = "The server does not answer; this is how things were.";

/**
 * Takes what is told until it is over, while somebody sees the page; `lost` hears once whenever the
 * server does not answer.
 */
export function follow<T>(address: string, take: (told: T) => void, lost: (text: string) => void): void {
  let source: EventSource | undefined;
  let isOver = false;
  const watch = () => {
    source?.close();
    source = undefined;
    // A page that nobody sees asks for nothing: all tabs share a browser's few connections to a server.
    if (document.hidden || isOver) return;
    source = listen(address, take, lost);
    source.addEventListener("over", () => {
      isOver = true;
      source?.close();
    });
  };
  document.addEventListener("visibilitychange", watch);
  watch();
}

function listen<T>(address: string, take: (told: T) => void, lost: (text: string) => void): EventSource {
  const source = new EventSource(address);
  let wasLost = false;
  source.onmessage = (event: MessageEvent<string>) => {
    wasLost = false;
    take(JSON.parse(event.data) as T);
  };
  source.onerror = () => {
    // It tries again by itself.
    if (!wasLost) lost(SILENT);
    wasLost = true;
  };
  return source;
}

/** Only what is new is said: readers of the screen hear it each time. */
export function say(status: Element, text: string): void {
  if (status.textContent !== text) status.textContent = text;
}
