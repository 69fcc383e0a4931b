// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { afterEach, expect, it, vi } from "vitest";
import { api, ApiError } from "../api/client";
import type { ClusterNode, ClusterStatus } from "../api/types";
import { SessionProvider } from "../state/session";
import { attention, inOrder, stateOf } from "./attention";
import { ClusterButton } from "./ClusterButton";
import { ClusterPage } from "./ClusterPage";
import { ago, Nodes } from "./Nodes";

afterEach(cleanup);

const node = (change: Partial<ClusterNode> = {}): ClusterNode => ({ node: "bb00000000000002", life: "l2", own: false, alive: true, address: "10.0.0.2:7300", version: "0.1.0", lag_seconds: 3, behind: 0, waiting_events: 0, waiting_bytes: 0, problems: 0, ...change });

const status = (change: Partial<ClusterStatus> = {}): ClusterStatus => ({
  enabled: true,
  node: "aa00000000000001",
  life: "l1",
  conflict: null,
  store: { name: "s3://b/p", incarnation: "1234567890abcdef", error: null, read_seconds_ago: 2, behind: 0, requests: 12_345, bytes_up: 2048, bytes_down: 0 },
  nodes: [node({ node: "aa00000000000001", life: "l1", own: true }), node()],
  leaders: [{ work: "compactor", own: true, node: "aa00000000000001" }, { work: "sweeper", own: false, node: null }],
  waiting: { partitions: 1, blocks: 2, bytes: 3_355_443, events: 1234 },
  problems: [],
  warnings: [],
  ...change,
});

const problem = (kind: ClusterStatus["problems"][number]["kind"], partition: string) => ({ partition, kind, message: "generation 7 is gone" });

function show(what: React.ReactNode) {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  return render(<QueryClientProvider client={client}><SessionProvider>{what}</SessionProvider></QueryClientProvider>);
}

it("a cluster that is well needs nobody", () => {
  expect(attention(status())).toEqual([]);
  expect(attention(status({ nodes: [node({ alive: false, address: "" })] }))).toEqual([]);
});

it("what needs a person is said with what to do, the worst first", () => {
  const items = attention(status({
    conflict: "l9",
    store: { ...status().store, error: "connection refused" },
    problems: [problem("gap", "a/2026-06-14")],
    nodes: [node({ alive: false, waiting_events: 7, waiting_bytes: 2048 })],
  }));
  expect(items.map((i) => [i.tone, i.word])).toEqual([
    ["error", "Two nodes under one name"],
    ["error", "Gap"],
    ["warn", "Shared store not read"],
    ["warn", "Silent node"],
  ]);
  expect(items.every((i) => i.todo !== "")).toBe(true);
  expect(items[3]?.what).toContain("7 events (2.0 KiB) waited there");
});

it("after a rollback there is one thing to do, not one for each partition", () => {
  const items = attention(status({ problems: Array.from({ length: 300 }, (_, i) => problem("rolled_back", `a/${i}`)) }));
  expect(items.map((i) => [i.word, i.partitions.length])).toEqual([["Rolled back", 300]]);
});

it("a node that said that it stops is no silent one", () => {
  expect([node(), node({ alive: false }), node({ alive: false, address: "" })].map(stateOf)).toEqual(["alive", "silent", "stopped"]);
});

it("the order of nodes does not depend on the answer's, or on who lives", () => {
  const names = (nodes: ClusterNode[]) => inOrder(nodes).map((n) => n.node);
  const [a, b, c] = [node({ node: "a", alive: false }), node({ node: "b" }), node({ node: "c", own: true })] as const;
  expect(names([a, b, c])).toEqual(["c", "a", "b"]);
  expect(names([b, c, a])).toEqual(["c", "a", "b"]);
});

it("a row says how a node is in words, with units", () => {
  const { container } = render(<Nodes askedMs={Date.parse("2026-06-14T10:00:03Z")} status={status({ nodes: [node({ node: "aa00000000000001", own: true, waiting_events: 1234, waiting_bytes: 3_355_443, lag_seconds: 3 }), node({ alive: false, version: "0.2.0" })] })} />);
  const [own, other] = [...container.querySelectorAll("tbody tr")].map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent));
  expect(own).toEqual(["Alive", "10.0.0.2:7300", "0.1.0", "3 s ago", "0", "1,234 events · 3.2 MiB", "0", "compactor"]);
  expect(other?.slice(0, 3)).toEqual(["Silent", "10.0.0.2:7300", "0.2.0"]);
  expect(screen.getByText("3 s ago", { selector: "[title^='2026-06-14T10:00:00']" })).toBeTruthy();
});

it("mixed versions are remarked on among living nodes only", () => {
  const { rerender } = render(<Nodes askedMs={0} status={status({ nodes: [node(), node({ node: "x", version: "0.2.0" })] })} />);
  expect(screen.queryByText(/Versions differ/)).not.toBeNull();
  rerender(<Nodes askedMs={0} status={status({ nodes: [node(), node({ node: "x", version: "0.2.0", alive: false })] })} />);
  expect(screen.queryByText(/Versions differ/)).toBeNull();
});

it("ages have units, and what is younger than a second is now", () => {
  expect([0, 1, 754].map(ago)).toEqual(["now", "1 s ago", "13 min ago"]);
});

it("a node alone is shown how to join a cluster", async () => {
  vi.spyOn(api, "cluster").mockResolvedValue({ enabled: false, warnings: [] });
  show(<ClusterPage />);
  expect((await screen.findByTestId("alone")).textContent).toContain("--shared-store s3://bucket/prefix");
  fireEvent.click(screen.getByRole("radio", { name: "A folder (NFS)" }));
  expect(screen.getByTestId("alone").textContent).toContain("--shared-store /mnt/logs");
});

it("a node that waits for its shared store says so, and is not told to join one", async () => {
  vi.spyOn(api, "cluster").mockResolvedValue({ enabled: false, warnings: ["the shared store cannot be reached"] });
  show(<><ClusterPage /><ClusterButton /></>);
  expect((await screen.findByTestId("joining")).textContent).toContain("The shared store cannot be reached.");
  expect(screen.queryByTestId("alone")).toBeNull();
  expect(screen.queryByRole("button", { name: "Cluster: not joined yet" })).not.toBeNull();
});

it("the top bar leads to the cluster only where there is one, and counts what needs attention", async () => {
  const asked = vi.spyOn(api, "cluster").mockResolvedValue({ enabled: false, warnings: [] });
  const { unmount, container } = show(<ClusterButton />);
  await vi.waitFor(() => expect(asked).toHaveBeenCalled());
  expect(container.textContent).toBe("");
  unmount();
  asked.mockResolvedValue(status({ problems: [problem("gap", "a/2026-06-14")] }));
  show(<ClusterButton />);
  expect((await screen.findByRole("button")).getAttribute("aria-label")).toBe("Cluster: 1 thing needs attention");
});

it("a server that stops answering leaves what was known on the page, and says so", async () => {
  const asked = vi.spyOn(api, "cluster").mockResolvedValueOnce(status());
  asked.mockRejectedValue(new ApiError({ code: "unreachable", message: "The server does not answer." }, 0));
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  render(<QueryClientProvider client={client}><SessionProvider><ClusterPage /></SessionProvider></QueryClientProvider>);
  await screen.findByText("s3://b/p");
  await client.refetchQueries({ queryKey: ["cluster"] });
  await screen.findByText(/No answer; this is what was known at/);
  expect(screen.queryByText("s3://b/p")).not.toBeNull();
});
