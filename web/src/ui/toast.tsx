import { useSyncExternalStore } from "react";
import css from "./controls.module.css";

/** How long a short confirmation stays. */
const TOAST_MS = 2_500;

let current = "";
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

function set(text: string): void {
  current = text;
  for (const listener of listeners) listener();
}

/** Says shortly that something was done. Nothing important: that stays on the page. */
export function toast(text: string): void {
  clearTimeout(timer);
  set(text);
  timer = setTimeout(() => set(""), TOAST_MS);
}

export function Toasts() {
  const text = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
  return (
    <div className={css.toasts} role="status" aria-live="polite">
      {text !== "" && <div className={css.toast}>{text}</div>}
    </div>
  );
}

/** Copies the whole text; browsers refuse the clipboard on plain http beyond this machine, so there is a second way. */
export async function copyText(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    if (!copyBySelection(text)) {
      toast("The browser refused the clipboard.");
      return;
    }
  }
  toast(`Copied ${what}`);
}

function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("readonly", "");
  area.className = "visually-hidden";
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
