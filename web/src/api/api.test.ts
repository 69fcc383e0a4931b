import { describe, expect, it } from "vitest";
import { apiUrl } from "./client";
import { ExactNumber, parseJson, readJsonTree } from "./json";
import { EventSplitter } from "./sse";

describe("server-sent events", () => {
  it("are found whatever the chunks", () => {
    const text = ': alive\n\nevent: hits\ndata: [1]\n\nevent: done\r\ndata: {"a":\r\ndata: 2}\r\n\r\n';
    for (let size = 1; size <= text.length; size++) {
      const splitter = new EventSplitter();
      const events = [];
      for (let at = 0; at < text.length; at += size) events.push(...splitter.push(text.slice(at, at + size)));
      expect(events).toEqual([{ name: "hits", data: [1] }, { name: "done", data: { a: 2 } }]);
    }
  });

  it("one that is not complete is not given", () => {
    expect(new EventSplitter().push("event: hits\ndata: [1]\n")).toEqual([]);
  });
});

describe("numbers", () => {
  it("an exact number counts as its nearest float and shows its own digits", () => {
    const n = new ExactNumber("12345678901234567891");
    expect(String(n)).toBe("12345678901234567891");
    expect(Number(n)).toBe(12345678901234567891);
  });

  it("an ordinary number stays a number", () => {
    expect(parseJson('{"a":1.5,"b":[2]}')).toEqual({ a: 1.5, b: [2] });
  });
});

describe("the tree of a JSON line", () => {
  it("keeps order, duplicates and the digits of numbers", () => {
    expect(readJsonTree(' {"b": 1.0, "a":[1e3, null, true], "b": "x\\u00e9"} ')).toEqual({
      kind: "object",
      members: [
        ["b", { kind: "number", text: "1.0" }],
        ["a", { kind: "array", items: [{ kind: "number", text: "1e3" }, { kind: "literal", text: "null" }, { kind: "literal", text: "true" }] }],
        ["b", { kind: "string", text: "xé" }],
      ],
    });
  });

  it.each(["", "plain text", '{"a":1', '{"a":1} x', "[1]", `${'{"a":'.repeat(200)}1${"}".repeat(200)}`, '{"a":"', '{"a" 1}'])("%j has none", (line) => {
    expect(readJsonTree(line)).toBeNull();
  });
});

it("an address carries only what was given", () => {
  expect(apiUrl("/api/search", { q: "a b&c", env: "", limit: 0, sort: undefined })).toBe("/api/search?q=a+b%26c&limit=0");
});
