import { describe, expect, it } from "vitest";
import { addTerm, clauses, eventsPart, onlyTerm, term, withoutClause } from "./edit";

describe("a value as a query writes it", () => {
  it.each([
    ["level", "error", "level:error"],
    ["http.status", "502", "http.status:502"],
    ["path", "/api/cart", 'path:"/api/cart"'],
    ["msg", 'say "hi" \\ bye', 'msg:"say \\"hi\\" \\\\ bye"'],
    ["op", "OR", 'op:"OR"'],
    ["empty", "", 'empty:""'],
    ["wild", "a*b", 'wild:"a*b"'],
    ["neg", "-5", 'neg:"-5"'],
    ["odd name", "x", "odd\\ name:x"],
    ["index", "x", "fields.index:x"],
    ["city", "Zürich", "city:Zürich"],
  ])("%s = %s gives %s", (field, value, expected) => {
    expect(term(field, value)).toBe(expected);
  });

  it("a hit's own member keeps its name", () => {
    expect(term("index", "web", true)).toBe("index:web");
  });

  it("a word without a field is the term alone", () => {
    expect(term(null, "10.0.0.1:443")).toBe('"10.0.0.1:443"');
  });
});

describe("including and excluding", () => {
  it.each([
    ["", "level:error", false, "level:error"],
    ["*", "level:error", false, "level:error"],
    ["timeout", "level:error", false, "timeout level:error"],
    ["timeout", "level:error", true, "timeout NOT level:error"],
    ["a OR b", "level:error", false, "(a OR b) level:error"],
    ["(a OR b) c", "x:1", true, "(a OR b) c NOT x:1"],
    ["* | stats count by service", "level:error", false, "level:error | stats count by service"],
    ['"a | b"', "x:1", false, '"a | b" x:1'],
    ["level:error", "level:error", false, "level:error"],
    ["NOT level:error", "level:error", false, "level:error"],
    ["-level:error timeout", "level:error", false, "timeout level:error"],
    ["level:ERROR", "level:error", true, "NOT level:error"],
  ])("%j with %j (negated: %s) is %j", (query, added, negated, expected) => {
    expect(addTerm(query, added, negated)).toBe(expected);
  });

  it("only this leaves the stages", () => {
    expect(onlyTerm("a b | top 5 host", "level:error")).toBe("level:error | top 5 host");
  });
});

describe("clauses", () => {
  it("are split at blanks outside quotes, brackets and regexes", () => {
    expect(clauses('a "b c" (d OR e) f:(g h) /x y/ NOT z')?.map((c) => (c.negated ? `!${c.text}` : c.text))).toEqual(["a", '"b c"', "(d OR e)", "f:(g h)", "/x y/", "!z"]);
  });

  it("a range is one clause", () => {
    expect(clauses("latency:[10 TO 20] b")?.map((c) => c.text)).toEqual(["latency:[10 TO 20]", "b"]);
  });

  it("there are none to take out under an OR", () => {
    expect(clauses("a OR b")).toBeNull();
  });

  it("one can be taken out", () => {
    expect(withoutClause("a NOT b c | head 5", 1)).toBe("a c | head 5");
    expect(withoutClause("a", 0)).toBe("");
  });
});

it("histogram and fields ask about what stands before the first reducing stage", () => {
  expect(eventsPart("error | where x > 1 | stats count by y | sort y")).toBe("error | where x > 1");
  expect(eventsPart('"| stats" | TOP 5 x')).toBe('"| stats"');
  expect(eventsPart("error | head 5")).toBe("error | head 5");
});
