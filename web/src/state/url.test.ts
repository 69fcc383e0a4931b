import { expect, it } from "vitest";
import { DEFAULT_VIEW, isStep, readView, type View, writeView } from "./url";

const FULL: View = {
  place: "cluster",
  query: 'a "b&c" | stats count by x',
  range: { start: "-1d@d", end: "2026-06-14T10:30:15.123Z" },
  zone: "utc",
  env: "staging",
  index: "app-*,web",
  columns: ["a,b", "c\\d", "http.status"],
  sort: "-latency_ms",
  live: true,
  event: "00000000000000aa-7",
};

it("an address gives back the whole view", () => {
  expect(readView(writeView(FULL), "local")).toEqual(FULL);
});

it("an address leads to each view, and from a word that names none to the search", () => {
  expect(["?view=cluster", "?view=crypto", "?view=mars", ""].map((search) => readView(search, "utc").place)).toEqual(["cluster", "crypto", "search", "search"]);
});

it("a relative range stays relative in the address", () => {
  expect(writeView(DEFAULT_VIEW)).toBe("?start=-15m&end=now&tz=local");
});

it("an address without a zone takes the one of this browser", () => {
  expect(readView("?q=x", "utc").zone).toBe("utc");
  expect(readView("?tz=mars", "utc").zone).toBe("utc");
});

it("back undoes a search and a change of view, not an opened event or a column", () => {
  expect(isStep(FULL, { ...FULL, query: "b" })).toBe(true);
  expect(isStep(FULL, { ...FULL, place: "search" })).toBe(true);
  expect(isStep(FULL, { ...FULL, range: DEFAULT_VIEW.range })).toBe(true);
  expect(isStep(FULL, { ...FULL, event: "", columns: [] })).toBe(false);
});
