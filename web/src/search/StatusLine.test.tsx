// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { StatusLine } from "./StatusLine";
import { IDLE, type Search } from "./useSearch";

afterEach(cleanup);

const search = (change: Partial<Search>): Search => ({ ...IDLE, cancel: vi.fn(), loadMore: vi.fn(), canLoadMore: false, ...change });
const done = (change: object) => ({ total: 1234, took_ms: 38, partial: false, warnings: [], cursor: null, stats: { blocks: 12, blocks_pruned: 8, bytes_read: 3_355_443, rows_scanned: 9 }, ...change });

it("while it runs it says how far it is, and can be cancelled", () => {
  const running = search({ status: "running", progress: { groups: 40, groups_done: 12, bytes_read: 2 ** 20, rows_scanned: 1, matched: 1204 } });
  render(<StatusLine search={running} />);
  expect(screen.getByTestId("status").textContent).toBe("Searching12 of 40 row groups · 1.0 MiB read · 1,204 matched");
  fireEvent.click(screen.getByRole("button", { name: "Cancel" }));
  expect(running.cancel).toHaveBeenCalledOnce();
});

it("at the end it says what was found and what it cost", () => {
  render(<StatusLine search={search({ status: "done", done: done({}) })} />);
  expect(screen.getByTestId("status").textContent).toBe("1,234 events38 ms · 12 blocks, 8 ruled out · 3.2 MiB read");
  expect(screen.queryByRole("button", { name: "Cancel" })).toBeNull();
});

it("a partial answer is called incomplete, with every reason", () => {
  render(<StatusLine search={search({ status: "done", done: done({ partial: true, warnings: ["first reason", "second reason"] }) })} />);
  expect(screen.getByRole("button").textContent).toBe("Incomplete first reason · second reason");
});

it("a search that failed half-way says that what is shown is not all", () => {
  render(<StatusLine search={search({ status: "failed", hits: [{} as never, {} as never] })} />);
  expect(screen.getByTestId("status").textContent).toBe("Ended early: 2 shown are not all.");
});

it("a total that was not counted is not made up", () => {
  render(<StatusLine search={search({ status: "done", done: done({ total: null }), hits: [{} as never] })} />);
  expect(screen.getByTestId("status").textContent).toMatch(/^1 shown/);
});
