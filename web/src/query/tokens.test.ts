import { expect, it } from "vitest";
import { tokenize } from "./tokens";

const read = (query: string) => tokenize(query).filter((t) => t.kind !== "blank").map((t) => `${t.kind} ${query.slice(t.from, t.to)}`);

it("tokens cover the text without gaps", () => {
  for (const query of ["", "a:b", 'x:"y z" | stats count by `odd name`', "a\\ b -c /d e/ path:/api/* [", '"open', "| |", "f:/x/)", "😀:b\\"]) {
    expect(tokenize(query).map((t) => query.slice(t.from, t.to)).join("")).toBe(query);
  }
});

it("a path is no regex, a closed regex is one", () => {
  expect(read("path:/api/*")).toEqual(["field path", "colon :", "text /api/*"]);
  expect(read("path:/api/")).toEqual(["field path", "colon :", "regex /api/"]);
  expect(read("/time out/ x")).toEqual(["regex /time out/", "text x"]);
});

it("a minus negates only where a term begins", () => {
  expect(read("-foo foo-bar")).toEqual(["not -", "text foo", "text foo-bar"]);
});

it("a pipe in quotes begins no stage", () => {
  expect(read('"a | b" | head 5')).toEqual(['string "a | b"', "pipe |", "stage head", "number 5"]);
});

it("comparisons and ranges stand apart from their values", () => {
  expect(read("n:>=5 n:[1 TO 9]")).toEqual(["field n", "colon :", "operator >=", "number 5", "field n", "colon :", "symbol [", "number 1", "operator TO", "number 9", "symbol ]"]);
});
