/** What of a cluster needs a person, worst first, each with what to do. */
import type { ClusterNode, ClusterStatus } from "../api/types";
import { plural, showBytes } from "../ui/numbers";

export interface Item {
  tone: "error" | "warn";
  word: string;
  what: string;
  todo: string;
  /** Partitions that it is about. */
  partitions: string[];
}

export type NodeState = "alive" | "silent" | "stopped";

/** A node that stops says so, and nothing else any more: then its address is empty. */
export function stateOf(node: ClusterNode): NodeState {
  if (node.alive) return "alive";
  return node.address === "" ? "stopped" : "silent";
}

type Kind = ClusterStatus["problems"][number]["kind"];

const KINDS: Record<Kind, { word: string; todo: string }> = {
  rolled_back: {
    word: "Rolled back",
    todo: "Restore the newest state of the shared store if there is one. If what the store has now is what shall hold, run `helios store adopt`.",
  },
  gap: {
    word: "Gap",
    todo: "Restore the shared store. If what is missing is lost for good, run `helios store adopt`.",
  },
  missing: {
    word: "Missing",
    todo: "Start every node that may still have these events, and wait. If none has them, run `helios store adopt --yes --accept-loss`.",
  },
  incomplete: {
    word: "Incomplete",
    todo: "Restore the block: `helios verify --shared-store` names all that are missing. If they are lost, run `helios store adopt`.",
  },
  unreadable: {
    word: "Unreadable",
    todo: "If a newer version of helios wrote it, upgrade this node. Else restore the object: `helios verify --shared-store` says which.",
  },
  damaged_tail: {
    word: "Damaged on this disk",
    todo: "Stop this node and run `helios verify` on its data directory. Look at the disk before anything else.",
  },
  cloned: {
    word: "Put back or copied while it ran",
    todo: "Start this node again: it begins a new life, and what it alone has gets new numbers. If the other copy still runs, stop one of the two.",
  },
};

export function attention(status: ClusterStatus): Item[] {
  const items: Item[] = [];
  if (status.conflict !== null && status.conflict === status.life) {
    items.push({
      tone: "error",
      word: "Put back or copied while it ran",
      what: "A virtual machine was put back to an earlier state, or copied, while this process ran: another one runs, or ran, under its life. This node answers, and takes nothing in. What it has acknowledged is on its disk.",
      todo: "Start this node again. It begins a new life, and what it alone has gets new numbers. If both copies are to run, remove `_node/id` in one of them first.",
      partitions: [],
    });
  } else if (status.conflict !== null) {
    items.push({
      tone: "error",
      word: "Two nodes under one name",
      what: `Another process, life ${status.conflict}, runs on a copy of this node's data directory. This node takes events and answers, but shares nothing.`,
      todo: "Stop one of the two. In the copy, remove `_node/id`, and start it again.",
      partitions: [],
    });
  }
  items.push(...problems(status));
  const { error } = status.store;
  if (error !== null) {
    items.push({
      tone: "warn",
      word: "Shared store not read",
      what: `${sentence(error)} Events are still taken and answered; what is new waits on this node's disk.`,
      todo: "Look at the network, the credentials and the store. It is tried again by itself.",
      partitions: [],
    });
  }
  for (const warning of status.warnings) {
    items.push({ tone: "warn", word: "Not known", what: sentence(warning), todo: "", partitions: [] });
  }
  for (const node of status.nodes.filter((n) => stateOf(n) === "silent")) {
    items.push({
      tone: "warn",
      word: "Silent node",
      what: `${node.node} at ${node.address} is not heard of. ${waits(node)}`,
      todo: "Start it again, or find out why it cannot reach the shared store.",
      partitions: [],
    });
  }
  return items;
}

export function worst(items: Item[]): Item["tone"] {
  return items.some((item) => item.tone === "error") ? "error" : "warn";
}

/** One item a kind: after a rollback every partition has the same problem. */
function problems(status: ClusterStatus): Item[] {
  return (Object.keys(KINDS) as Kind[]).flatMap((kind) => {
    const all = status.problems.filter((p) => p.kind === kind);
    const [first] = all;
    if (first === undefined) return [];
    const { word, todo } = KINDS[kind];
    return [{ tone: "error" as const, word, what: sentence(first.message), todo, partitions: all.map((p) => p.partition) }];
  });
}

function waits(node: ClusterNode): string {
  const events = Number(node.waiting_events);
  if (events === 0) return "By its last word all that it had was shared.";
  return `By its last word ${plural(events, "event")} (${showBytes(Number(node.waiting_bytes))}) waited there to be shared: until it is back they are on its disk alone.`;
}

/** With a capital and a full stop. */
function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

/** Nodes in an order that no answer changes: this one first, then by name. */
export function inOrder(nodes: ClusterNode[]): ClusterNode[] {
  return [...nodes].sort((a, b) => Number(b.own) - Number(a.own) || (a.node < b.node ? -1 : 1));
}
