import { expect, it } from "vitest";
import { cutMiddle, plural, showBytes, showShare, showTook } from "./numbers";

it("numbers carry units and separators", () => {
  expect(plural(1, "event")).toBe("1 event");
  expect(plural(1234567, "event")).toBe("1,234,567 events");
  expect([0, 1023, 1024, 150 * 1024, 3 * 2 ** 30].map(showBytes)).toEqual(["0 B", "1,023 B", "1.0 KiB", "150 KiB", "3.0 GiB"]);
  expect([0.4, 12, 1500, 61_000].map(showTook)).toEqual(["0.4 ms", "12 ms", "1.50 s", "61.0 s"]);
});

it("a share is never rounded to all or nothing", () => {
  expect([0, 0.0001, 0.034, 0.5, 0.9999, 1].map(showShare)).toEqual(["0 %", "<0.1 %", "3.4 %", "50 %", ">99.9 %", "100 %"]);
});

it("a long value is cut in the middle, between characters", () => {
  expect(cutMiddle("short", 10)).toBe("short");
  const cut = cutMiddle("😀".repeat(50), 9);
  expect([...cut]).toHaveLength(9);
  expect(cut).toMatch(/^😀+…😀+$/u);
});
