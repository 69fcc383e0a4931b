// @vitest-environment jsdom
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import type { Hit } from "../api/types";
import { pieces, wordAt } from "../search/words";
import { Message } from "./Message";
import { Raw } from "./Raw";
import { Tree } from "./Tree";

vi.mock("../search/values", () => ({ useValueActions: () => ({ pick: vi.fn(), toggleColumn: vi.fn() }) }));
afterEach(cleanup);

const hit = (raw: string, fields: Hit["fields"] = {}): Hit => ({ id: "a-1", timestamp: "2026-06-14T10:00:00Z", env: "default", index: "x", source: null, message: raw, raw, fields });

it("a message is its words and what stands between, none lost", () => {
  const text = "GET /api/cart?x=1 from 10.0.0.1:443 <b>took</b> 3.5s, naïve\n\tend.";
  expect(pieces(text).map((p) => p.text).join("")).toBe(text);
  expect(pieces(text).filter((p) => p.word).map((p) => p.text)).toEqual(["GET", "api/cart", "x", "1", "from", "10.0.0.1:443", "b", "took", "b", "3.5s", "naïve", "end"]);
});

it("a place in a message is in a word or between words", () => {
  expect(["GET /x", "GET /x", "GET /x", "GET /x", ""].map((text, at) => wordAt(text, [0, 2, 3, 5, 0][at] ?? 0))).toEqual(["GET", "GET", null, "x", null]);
});

it("markup in a message is text", () => {
  const { container } = render(<Message text={'<img src=x onerror="alert(1)">'} />);
  expect(container.textContent).toBe('<img src=x onerror="alert(1)">');
  expect(container.querySelector("img")).toBeNull();
});

it("a tree is nested as the line is, its numbers as sent", () => {
  render(<Tree hit={hit('{"a":{"b":[1.0,{"c":null}]},"n":12345678901234567891}')} />);
  expect(screen.getByRole("tree").textContent).toBe("▾a{1}▾b[2]01.0▾1{1}cnulln12345678901234567891");
});

it("a line that is no JSON has a tree of its fields", () => {
  render(<Tree hit={hit("plain", { level: "info", tags: ["x", "y"] })} />);
  expect(screen.getByRole("tree").textContent).toBe("levelinfo▾tags[2]0x1y");
});

it("bytes that are not UTF-8 are said to be, and counted exactly", () => {
  render(<Raw hit={{ ...hit("a\uFFFD"), raw_base64: "Yf8=" }} />);
  expect(screen.getByText("2 B, as sent")).toBeTruthy();
  expect(screen.getByText(/Not all of it is UTF-8/)).toBeTruthy();
});
