/** The page's single keys. They rest while something is being typed or a menu or dialog is open. */
import { useEffect, useLayoutEffect, useRef } from "react";
import { somethingIsOpen } from "../ui/Popover";

export type Keys = Record<string, (() => void) | undefined>;

/** The name of a key press in a key table: `j`, `N`, `Mod-k`. */
export function keyName(event: KeyboardEvent): string {
  const mod = event.ctrlKey || event.metaKey;
  return mod ? `Mod-${event.key.toLowerCase()}` : event.key;
}

/** Whether a key goes into a text: also inside the editor's shadow root. */
function isTyping(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Keys that a focused control uses itself. */
function belongsToControl(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return false;
  if (event.key === "Enter" || event.key === " ") return target.closest("button, a, summary, [role=tab]") !== null;
  return event.key.startsWith("Arrow") && target.closest("[role=tablist], [role=radiogroup], [role=tabpanel], [role=region]") !== null;
}

export function useKeys(keys: Keys): void {
  const now = useRef(keys);
  useLayoutEffect(() => {
    now.current = keys;
  });
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const name = keyName(event);
      const run = now.current[name];
      if (!run || event.defaultPrevented || event.altKey || event.isComposing) return;
      const always = name.startsWith("Mod-");
      if (somethingIsOpen() || (!always && (isTyping(event) || belongsToControl(event)))) return;
      event.preventDefault();
      run();
    };
    document.addEventListener("keydown", onKeyDown);
    return () => document.removeEventListener("keydown", onKeyDown);
  }, []);
}
