import { describe as group, expect, it } from "vitest";
import { absolute, describe, isRelative, readTime, readTimestamp, resolve, shifted } from "./range";

const NOW = Date.parse("2026-06-14T10:30:15.123Z");
const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

group("relative times", () => {
  it.each([
    ["now", "2026-06-14T10:30:15.123Z"],
    ["-15m", "2026-06-14T10:15:15.123Z"],
    ["now-15m", "2026-06-14T10:15:15.123Z"],
    ["+1h", "2026-06-14T11:30:15.123Z"],
    ["-1d@d", "2026-06-13T00:00:00.000Z"],
    ["@d", "2026-06-14T00:00:00.000Z"],
    ["@h", "2026-06-14T10:00:00.000Z"],
    ["@w", "2026-06-08T00:00:00.000Z"],
    ["-250ms", "2026-06-14T10:30:14.873Z"],
  ])("%s means %s", (text, expected) => {
    expect(isRelative(text)).toBe(true);
    expect(iso(readTime(text, NOW, "local"))).toBe(expected);
  });
});

group("pasted timestamps", () => {
  it.each([
    ["2026-06-14T10:30:15.123456789Z", "2026-06-14T10:30:15.123Z"],
    ["2026-06-14 10:30:15,123", "2026-06-14T10:30:15.123Z"],
    ["2026-06-14", "2026-06-14T00:00:00.000Z"],
    ["2026-06-14T12:30:15+02:00", "2026-06-14T10:30:15.000Z"],
    ["2026-06-14 05:00:15 -0530", "2026-06-14T10:30:15.000Z"],
    ["[14/Jun/2026:12:30:15 +0200]", "2026-06-14T10:30:15.000Z"],
    ["Jun 14 10:30:15", "2026-06-14T10:30:15.000Z"],
    ["Dec  1 00:00:00", "2026-12-01T00:00:00.000Z"],
    ["1781433015", "2026-06-14T10:30:15.000Z"],
    ["1781433015.123", "2026-06-14T10:30:15.123Z"],
    ["1781433015123", "2026-06-14T10:30:15.123Z"],
    ["1781433015123456", "2026-06-14T10:30:15.123Z"],
    ["1781433015123456789", "2026-06-14T10:30:15.123Z"],
    ['"2026-06-14T10:30:15Z",', "2026-06-14T10:30:15.000Z"],
    ["10:30", "2026-06-14T10:30:00.000Z"],
  ])("%s is %s", (text, expected) => {
    expect(iso(readTimestamp(text, NOW, "utc"))).toBe(expected);
  });

  it.each(["", "yesterday", "2026-13-01", "2026-02-30", "25:00", "12", "14/Jun/26"])("%j is not a time", (text) => {
    expect(readTime(text, NOW, "utc")).toBeNull();
  });

  it("a syslog time takes the year that puts it nearest to now", () => {
    const newYear = Date.parse("2026-01-01T00:10:00Z");
    expect(iso(readTimestamp("Dec 31 23:59:00", newYear, "utc"))).toBe("2025-12-31T23:59:00.000Z");
  });
});

group("ranges", () => {
  it("a shifted window begins where the last one ended", () => {
    const window = resolve({ start: "-1h", end: "now" }, NOW, "utc");
    expect(window && shifted(window, 1).startMs).toBe(window?.endMs);
    expect(window && shifted(window, -1).endMs).toBe(window?.startMs);
  });

  it("an absolute range survives being written and read", () => {
    const window = { startMs: NOW - 1, endMs: NOW };
    expect(resolve(absolute(window), 0, "local")).toEqual(window);
  });

  it("is described by its preset, as written, or in full", () => {
    expect(describe({ start: "-15m", end: "now" }, "utc")).toBe("Last 15 minutes");
    expect(describe({ start: "-17m", end: "now" }, "utc")).toBe("-17m to now");
    expect(describe({ start: "2026-06-14T10:00:00Z", end: "2026-06-14T11:00:00Z" }, "utc")).toBe("2026-06-14 10:00:00 – 11:00:00 (1 h)");
  });
});
