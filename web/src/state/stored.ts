/** What this browser remembers. Storage may be full, refused or written by an older page: then the fallback holds. */
import { useCallback, useSyncExternalStore } from "react";

const listeners = new Set<() => void>();
const cache = new Map<string, { text: string | null; value: unknown }>();

export function readStored<T>(key: string, fallback: T, valid: (value: unknown) => value is T): T {
  let text: string | null = null;
  try {
    text = localStorage.getItem(`helios.${key}`);
  } catch {
    return fallback;
  }
  const known = cache.get(key);
  if (known && known.text === text) return known.value as T;
  let value: unknown = fallback;
  try {
    const parsed: unknown = text === null ? fallback : JSON.parse(text);
    value = valid(parsed) ? parsed : fallback;
  } catch {
    value = fallback;
  }
  cache.set(key, { text, value });
  return value as T;
}

export function writeStored(key: string, value: unknown): void {
  try {
    localStorage.setItem(`helios.${key}`, JSON.stringify(value));
  } catch {
    // Private windows may refuse: the setting then lasts as long as the page.
    cache.set(key, { text: null, value });
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  window.addEventListener("storage", listener);
  return () => {
    listeners.delete(listener);
    window.removeEventListener("storage", listener);
  };
}

export function useStored<T>(key: string, fallback: T, valid: (value: unknown) => value is T): [T, (value: T) => void] {
  const value = useSyncExternalStore(subscribe, () => readStored(key, fallback, valid));
  const set = useCallback((next: T) => writeStored(key, next), [key]);
  return [value, set];
}

export const isBoolean = (v: unknown): v is boolean => typeof v === "boolean";
export const isNumber = (v: unknown): v is number => typeof v === "number" && Number.isFinite(v);
export const isStrings = (v: unknown): v is string[] => Array.isArray(v) && v.every((x) => typeof x === "string");
export function oneOf<T extends string>(...allowed: T[]): (v: unknown) => v is T {
  return (v): v is T => allowed.includes(v as T);
}
