import { expect, it } from "vitest";
import { showAge, showBoth, showExact, showListTime, showSpan, showTick } from "./instant";

it("every digit of a nanosecond time is shown", () => {
  expect(showExact("2026-06-14T10:30:15.123456789Z", "utc")).toBe("2026-06-14T10:30:15.123456789Z");
  expect(showExact("2026-06-14T10:30:15Z", "utc")).toBe("2026-06-14T10:30:15.000Z");
});

it("a list shows milliseconds, cut and not rounded", () => {
  expect(showListTime("2026-06-14T10:30:15.999999999Z", "utc", false)).toBe("10:30:15.999");
  expect(showListTime("2026-06-14T10:30:15.9Z", "utc", true)).toBe("2026-06-14 10:30:15.900");
});

it("hovering names both zones", () => {
  expect(showBoth("2026-06-14T10:30:15Z")).toMatch(/Z \(UTC\)\n.*\(local\)$/);
});

it("what is no time is shown as it is", () => {
  expect(showExact("tomorrow", "utc")).toBe("tomorrow");
});

it("ages and spans have one unit", () => {
  expect(showAge(0, 90_000)).toBe("1.5 min ago");
  expect(showAge(90_000, 0)).toBe("in 1.5 min");
  expect(showSpan(86_400_000 * 12)).toBe("12 d");
  expect(showSpan(250)).toBe("250 ms");
});

it("tick labels are as short as their step allows", () => {
  const at = Date.parse("2026-06-14T10:30:15.250Z");
  expect([86_400_000, 60_000, 1_000, 10].map((step) => showTick(at, "utc", step))).toEqual(["06-14", "10:30", "10:30:15", "30:15.250"]);
});
