/** What the palette offers: commands, columns by field, and earlier queries. */
import { readStored } from "../state/stored";
import type { Session } from "../state/session";
import type { Place } from "../state/url";
import type { Overlay } from "../search/SearchPage";
import { PRESETS } from "../time/range";
import { setTheme } from "../ui/theme";

export interface Command {
  label: string;
  hint?: string;
  run: () => void;
}

interface Context {
  view: Session["view"];
  setView: Session["setView"];
  rerun: () => void;
  share: () => void;
  setOverlay: (overlay: Overlay) => void;
  toggleFields: () => void;
  toggleHistogram: () => void;
  fields: string[];
}

const PLACES: { place: Place; label: string }[] = [
  { place: "search", label: "Search" },
  { place: "cluster", label: "Cluster" },
  { place: "crypto", label: "Cryptography" },
];

/** The views that can be gone to from one of them. */
export function otherPlaces(from: Place): typeof PLACES {
  return PLACES.filter(({ place }) => place !== from);
}

const isPast = (v: unknown): v is { query: string }[] => Array.isArray(v);
const FIELDS_MAX = 200;
const PAST_MAX = 20;

export function commandsOf(c: Context): Command[] {
  const { view, setView } = c;
  return [
    { label: view.live ? "Stop live tail" : "Live tail", hint: "l", run: () => setView({ live: !view.live }) },
    { label: "Search again", run: c.rerun },
    { label: "Time range…", hint: "t", run: () => c.setOverlay("time") },
    ...PRESETS.map((p) => ({ label: `Time: ${p.label.toLowerCase()}`, run: () => setView({ range: p.range, live: false }) })),
    { label: view.zone === "utc" ? "Show times in local time" : "Show times in UTC", run: () => setView({ zone: view.zone === "utc" ? "local" : "utc" }, true) },
    { label: "Share: copy a link with absolute times", run: c.share },
    { label: "Export…", run: () => c.setOverlay("export") },
    ...otherPlaces("search").map(({ place, label }) => ({ label, run: () => setView({ place }) })),
    { label: "Query history…", run: () => c.setOverlay("history") },
    { label: "Show or hide the field panel", run: c.toggleFields },
    { label: "Show or hide the histogram", run: c.toggleHistogram },
    { label: "Remove all columns", run: () => setView({ columns: [] }) },
    { label: "Theme: light", run: () => setTheme("light") },
    { label: "Theme: dark", run: () => setTheme("dark") },
    { label: "Theme: as the system", run: () => setTheme("system") },
    { label: "Keys and syntax", hint: "?", run: () => c.setOverlay("help") },
    ...c.fields.slice(0, FIELDS_MAX).map((name) => ({
      label: `${view.columns.includes(name) ? "Remove column" : "Column"}: ${name}`,
      run: () => setView({ columns: view.columns.includes(name) ? view.columns.filter((x) => x !== name) : [...view.columns, name] }),
    })),
    ...readStored("history", [], isPast).slice(0, PAST_MAX).map((p) => ({ label: p.query, hint: "earlier query", run: () => setView({ query: p.query }) })),
  ];
}

/** What the palette offers beside the search: the way back, the other views, and how the page looks. */
export function commandsBeside(view: Session["view"], setView: Session["setView"], setOverlay: (overlay: Overlay) => void): Command[] {
  return [
    { label: "Back to the search", hint: "Esc", run: () => setView({ place: "search" }) },
    ...otherPlaces(view.place).filter(({ place }) => place !== "search").map(({ place, label }) => ({ label, run: () => setView({ place }) })),
    { label: view.zone === "utc" ? "Show times in local time" : "Show times in UTC", run: () => setView({ zone: view.zone === "utc" ? "local" : "utc" }, true) },
    { label: "Theme: light", run: () => setTheme("light") },
    { label: "Theme: dark", run: () => setTheme("dark") },
    { label: "Theme: as the system", run: () => setTheme("system") },
    { label: "Keys and syntax", hint: "?", run: () => setOverlay("help") },
  ];
}

/** Commands that hold all words wanted, those that begin with the text first. */
export function narrow(commands: Command[], wanted: string): Command[] {
  const words = wanted.toLowerCase().split(/\s+/).filter((w) => w !== "");
  const fits = commands.filter((c) => words.every((w) => c.label.toLowerCase().includes(w)));
  const begins = (c: Command) => c.label.toLowerCase().startsWith(wanted.trim().toLowerCase());
  return [...fits.filter(begins), ...fits.filter((c) => !begins(c))];
}
