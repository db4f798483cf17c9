// Loads what a page is about, and forgets answers that come too late.
import { useEffect, useState } from "preact/hooks";
import { ask } from "./api";

export interface Loaded<T> {
  value: T | null;
  error: string;
  loading: boolean;
}

/** The last answer stays until the next one is there, so that nothing flickers. */
export function useLoaded<T>(path: string | null): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T>>({ value: null, error: "", loading: true });
  useEffect(() => {
    if (path === null) return undefined;
    let wanted = true;
    setLoaded((before) => ({ ...before, loading: true }));
    ask<T>(path).then(
      (value) => wanted && setLoaded({ value, error: "", loading: false }),
      (error: Error) => wanted && setLoaded({ value: null, error: error.message, loading: false }),
    );
    return () => {
      wanted = false;
    };
  }, [path]);
  return loaded;
}
