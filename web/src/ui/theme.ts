/** Light, dark and high contrast, chosen or as the system says. Put on the root element; every colour follows. */
import { useSyncExternalStore } from "react";
import { oneOf, readStored, writeStored } from "../state/stored";

export type ThemeChoice = "system" | "light" | "dark";
export type ContrastChoice = "system" | "more";

const isTheme = oneOf<ThemeChoice>("system", "light", "dark");
const isContrast = oneOf<ContrastChoice>("system", "more");

const dark = () => window.matchMedia?.("(prefers-color-scheme: dark)");
const contrast = () => window.matchMedia?.("(prefers-contrast: more)");

export const themeChoice = (): ThemeChoice => readStored("theme", "system", isTheme);
export const contrastChoice = (): ContrastChoice => readStored("contrast", "system", isContrast);

const listeners = new Set<() => void>();

export function applyTheme(): void {
  const choice = themeChoice();
  const isDark = choice === "dark" || (choice === "system" && dark()?.matches);
  const more = contrastChoice() === "more" || contrast()?.matches;
  document.documentElement.dataset.theme = isDark ? "dark" : "light";
  document.documentElement.dataset.contrast = more ? "more" : "normal";
  for (const listener of listeners) listener();
}

export function setTheme(choice: ThemeChoice): void {
  writeStored("theme", choice);
  applyTheme();
}

export function setContrast(choice: ContrastChoice): void {
  writeStored("contrast", choice);
  applyTheme();
}

export function watchSystemTheme(): void {
  dark()?.addEventListener("change", applyTheme);
  contrast()?.addEventListener("change", applyTheme);
}

/** What is on the root now, for what is drawn by hand. */
export function useTheme(): string {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => `${document.documentElement.dataset.theme} ${document.documentElement.dataset.contrast}`,
  );
}
