// A button that copies a link or a command, and says so.
import type { JSX } from "preact";
import { useState } from "preact/hooks";

export function CopyLink(): JSX.Element {
  return <Copy name="Copy link" text={() => location.href} />;
}

export function Copy({ name, text }: { name: string; text: () => string }): JSX.Element {
  const [said, setSaid] = useState("");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
      setSaid("Copied");
    } catch {
      setSaid("Not allowed by the browser");
    }
    setTimeout(() => setSaid(""), 2000);
  };
  return (
    <button type="button" class="button" onClick={() => void copy()}>
      {name}
      <span role="status" class="copied">
        {said && ` · ${said}`}
      </span>
    </button>
  );
}
