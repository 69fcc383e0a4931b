/** What is on screen, in the address bar: a link to it shows the same to somebody else. */
import type { Zone } from "../time/instant";
import type { Range } from "../time/range";

/** Which of the page's views is open. */
export type Place = "search" | "cluster" | "crypto";
const BESIDE: readonly string[] = ["cluster", "crypto"] satisfies Place[];

export interface View {
  place: Place;
  query: string;
  range: Range;
  zone: Zone;
  env: string;
  /** Names or patterns, comma separated; empty for all. */
  index: string;
  columns: string[];
  /** As the API's `sort`: empty is newest first. */
  sort: string;
  live: boolean;
  /** The opened event. */
  event: string;
}

export const DEFAULT_VIEW: View = {
  place: "search",
  query: "",
  range: { start: "-15m", end: "now" },
  zone: "local",
  env: "default",
  index: "",
  columns: [],
  sort: "",
  live: false,
  event: "",
};

/** Columns are kept readable in the address: a comma inside a name is escaped. */
const joinColumns = (columns: string[]) => columns.map((c) => c.replace(/[\\,]/g, "\\$&")).join(",");
const splitColumns = (text: string) =>
  (text.match(/(?:\\.|[^,\\])+/g) ?? []).map((c) => c.replace(/\\(.)/g, "$1")).filter((c) => c !== "");

/** The view an address means; `zone` is what holds where it says nothing. */
export function readView(search: string, zone: Zone): View {
  const params = new URLSearchParams(search);
  const get = (name: string) => params.get(name) ?? "";
  const tz = get("tz");
  const place = get("view");
  return {
    place: BESIDE.includes(place) ? (place as Place) : DEFAULT_VIEW.place,
    query: get("q"),
    range: { start: get("start") || DEFAULT_VIEW.range.start, end: get("end") || DEFAULT_VIEW.range.end },
    zone: tz === "utc" || tz === "local" ? tz : zone,
    env: get("env") || DEFAULT_VIEW.env,
    index: get("index"),
    columns: splitColumns(get("cols")),
    sort: get("sort"),
    live: get("live") === "1",
    event: get("event"),
  };
}

/** The address of a view. Time and zone are always there; what is as by default otherwise is left out. */
export function writeView(view: View): string {
  const params = new URLSearchParams();
  const set = (name: string, value: string, usual = "") => {
    if (value !== usual) params.set(name, value);
  };
  set("view", view.place, DEFAULT_VIEW.place);
  set("q", view.query);
  params.set("start", view.range.start);
  params.set("end", view.range.end);
  params.set("tz", view.zone);
  set("env", view.env, DEFAULT_VIEW.env);
  set("index", view.index);
  set("cols", joinColumns(view.columns));
  set("sort", view.sort);
  set("live", view.live ? "1" : "");
  set("event", view.event);
  return `?${params.toString()}`;
}

/** Whether going from one view to the other is a step that "back" should undo. */
export function isStep(from: View, to: View): boolean {
  return writeView({ ...from, event: "", zone: "utc", columns: [] }) !== writeView({ ...to, event: "", zone: "utc", columns: [] });
}
