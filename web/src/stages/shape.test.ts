import { describe, expect, it } from "vitest";
import { ExactNumber } from "../api/json";
import { columnKinds, sortRows, timeChart } from "./shape";

const T = (minute: number) => `2026-06-14T10:0${minute}:00Z`;

describe("a table", () => {
  it("is a chart when times come first and numbers follow", () => {
    const chart = timeChart({ columns: ["time", "a", "b"], rows: [[T(1), 2, null], [T(0), 1, 5]] });
    expect(chart?.x).toEqual([Date.parse(T(0)) / 1000, Date.parse(T(1)) / 1000]);
    expect(chart?.series).toEqual([{ name: "a", y: [1, 2] }, { name: "b", y: [5, null] }]);
  });

  it("of groups is none", () => {
    expect(timeChart({ columns: ["level", "count"], rows: [["error", 1], ["info", 2]] })).toBeNull();
  });

  it("text that looks like a number is text", () => {
    expect(columnKinds({ columns: ["a", "b", "c"], rows: [["1", 1, null], ["2", new ExactNumber("2.0"), null]] })).toEqual(["text", "number", "text"]);
  });

  it("sorts numbers before text and null last, both ways", () => {
    const rows = [[null], ["b"], [2], ["a"], [10]];
    expect(sortRows(rows, 0, false).flat()).toEqual([2, 10, "a", "b", null]);
    expect(sortRows(rows, 0, true).flat()).toEqual([10, 2, "b", "a", null]);
  });
});
