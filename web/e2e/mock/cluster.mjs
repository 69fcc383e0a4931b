/** Answers of `/api/cluster`, by name. */

const node = (name, change) => ({ node: name, life: `a1b2c3d4e5f6${name.slice(0, 4)}`, own: false, alive: true, address: "10.0.0.11:7300", version: "0.1.0", lag_seconds: 3, behind: 0, waiting_events: 0, waiting_bytes: 0, problems: 0, ...change });

/** Three nodes that are well. Requests and bytes grow, as they do. */
const healthy = () => {
  const asked = Math.floor(Date.now() / 1000) % 100_000;
  return {
    enabled: true,
    node: "3f9c01d2a4b5e677",
    life: "a1b2c3d4e5f63f9c",
    conflict: null,
    store: { name: "s3://shop-logs/helios", incarnation: "5be01f7c22a9d340", error: null, read_seconds_ago: asked % 4, behind: 0, requests: 84_210 + asked, bytes_up: 7_340_032_000 + asked * 4096, bytes_down: 15_204_352_000 + asked * 9000 },
    nodes: [
      node("0b7de2f1c3a49856", { address: "10.0.0.12:7300", lag_seconds: 2, waiting_events: 1204, waiting_bytes: 341_000 }),
      node("3f9c01d2a4b5e677", { own: true, waiting_events: 18_422, waiting_bytes: 3_355_443 }),
      node("c4e8a90b17d26f35", { address: "10.0.0.13:7300", lag_seconds: 4 }),
    ],
    leaders: [{ work: "compactor", own: true, node: "3f9c01d2a4b5e677" }, { work: "sweeper", own: false, node: "c4e8a90b17d26f35" }],
    waiting: { partitions: 3, blocks: 4, bytes: 3_355_443, events: 18_422 },
    problems: [],
    warnings: [],
  };
};

/** Much at once: a rolled back store, a damaged block, a silent and a stopped node, mixed versions. */
const troubled = () => {
  const well = healthy();
  const days = Array.from({ length: 12 }, (_, i) => `shop/2026-06-${String(i + 1).padStart(2, "0")}`);
  return {
    ...well,
    store: { ...well.store, error: "GET shop-logs/helios/feed: the connection was refused", read_seconds_ago: 754, behind: 7 },
    nodes: [
      ...well.nodes.map((n) => (n.own ? { ...n, lag_seconds: 754, behind: 7, problems: 13 } : n.node.startsWith("0b") ? { ...n, alive: false } : { ...n, version: "0.2.0" })),
      node("f00d9a8b7c6d5e4f", { alive: false, address: "", version: "", lag_seconds: null }),
    ],
    leaders: [well.leaders[0], { work: "sweeper", own: false, node: null }],
    problems: [
      ...days.map((partition) => ({ partition, kind: "rolled_back", message: "the shared store was rolled back: generation 41 is gone. Nothing of this partition is sent or taken; `helios store adopt` makes what the store has a new history" })),
      { partition: "edge/2026-06-14", kind: "damaged_tail", message: "block 5f0c7a3e9b1d24680f1e2d3c4b5a6978 of the own tail cannot be read: the digest is not the one that the manifest states" },
    ],
  };
};

/** The store does not answer: what only it knows is not known. */
const unreachable = () => {
  const well = healthy();
  return { ...well, store: { ...well.store, error: "no answer within 30 s", read_seconds_ago: 96 }, nodes: [], leaders: [], warnings: ["the shared store does not answer: which other nodes there are, and who leads, is not known"] };
};

const conflict = () => ({ ...healthy(), conflict: "99aa88bb77cc66dd" });

const joining = () => ({ enabled: false, warnings: ["the shared store cannot be reached: this node has not joined the others yet"] });

export const CLUSTERS = { none: () => ({ enabled: false, warnings: [] }), joining, healthy, troubled, unreachable, conflict };
