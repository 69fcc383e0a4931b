import { describe, expect, it } from "vitest";
import type { DiscoveredField } from "../api/types";
import { local, option } from "./complete";
import { errorSpan } from "./QueryBar";

const field = (name: string, top: string[]): DiscoveredField => ({ name, kind: "text", coverage: 1, distinct: top.length, distinct_capped: false, top: top.map((v) => [v, 1]), groupable: true, interesting: true });
const FIELDS = [field("level", ["error", "warn"]), field("service", ["check out", "cart"])];
const offered = (query: string) => local(query, query.length, FIELDS)?.options.map((o) => o.label) ?? [];

describe("completion without the server", () => {
  it("offers fields where a term begins", () => expect(offered("le")).toEqual(["level:"]));
  it("offers values behind a colon, quoted where they must be", () => expect(offered("service:c")).toEqual(['"check out"', "cart"]));
  it("offers stages behind a pipe", () => expect(offered("* | ti")).toEqual(["timechart"]));
  it("offers bare field names inside a stage", () => expect(offered("* | stats count by serv")).toEqual(["service"]));
  it("replaces what was typed", () => expect(local("a AND lev", 9, FIELDS)).toMatchObject({ from: 6, to: 9 }));
});

describe("where an error is", () => {
  const error = (column: number, length: number) => ({ code: "bad_query", message: "", column, length, parameter: "q" });
  it("counts characters, not UTF-16 units", () => expect(errorSpan("😀 (a", error(3, 1))).toEqual({ from: 3, to: 4 }));
  it("may lie behind the last character", () => expect(errorSpan("a AND", error(6, 1))).toEqual({ from: 5, to: 5 }));
  it("is nowhere in the query when another parameter is wrong", () => expect(errorSpan("a", { ...error(1, 1), parameter: "sort" })).toBeNull());
});

it("a later answer with the same items gives the same options, so that the chosen one stays chosen", () => {
  const item = { kind: "field", text: "level:", detail: "text" } as const;
  expect(option({ ...item })).toBe(option({ ...item }));
  expect(option({ ...item, detail: "number" })).not.toBe(option(item));
});
