import type { ClusterStatus } from "../api/types";
import { showBoth } from "../time/instant";
import { Fact, Group } from "../ui/Facts";
import { plural, showBytes, showCount } from "../ui/numbers";
import css from "./Cluster.module.css";
import { ago } from "./Nodes";

interface Part {
  status: ClusterStatus;
}

/** The shared store as this node reaches it. */
export function Store({ status: { store }, askedMs }: Part & { askedMs: number }) {
  const read = store.read_seconds_ago === null ? null : Number(store.read_seconds_ago);
  return (
    <Group id="cluster-store" title="Shared store">
      <Fact name="Name"><span className={css.mono}>{store.name}</span></Fact>
      <Fact name="History" title="Another number means another history: a store that was rolled back and adopted"><span className={css.mono}>{store.incarnation}</span></Fact>
      <Fact name="Last read" {...(read === null ? {} : { title: showBoth(new Date(askedMs - read * 1000).toISOString()) })}>{read === null ? "not yet" : ago(read)}</Fact>
      <Fact name="Not adopted yet">{Number(store.behind) === 0 ? "nothing" : plural(Number(store.behind), "partition")}</Fact>
      <Fact name="Requests" title="Since this node began">{showCount(Number(store.requests))}</Fact>
      <Fact name="Sent" title={plural(Number(store.bytes_up), "byte")}>{showBytes(Number(store.bytes_up))}</Fact>
      <Fact name="Received" title={plural(Number(store.bytes_down), "byte")}>{showBytes(Number(store.bytes_down))}</Fact>
    </Group>
  );
}

/** What is on this node's disk alone. */
export function Waiting({ status: { waiting } }: Part) {
  return (
    <Group id="cluster-waiting" title="Waits on this node">
      <Fact name="Events">{showCount(Number(waiting.events))}</Fact>
      <Fact name="Blocks">{showCount(Number(waiting.blocks))}</Fact>
      <Fact name="Bytes" title={plural(Number(waiting.bytes), "byte")}>{showBytes(Number(waiting.bytes))}</Fact>
      <Fact name="Partitions">{showCount(Number(waiting.partitions))}</Fact>
      <p className={css.note}>Blocks that are on this disk and not in the shared store yet. They are found by searches here; other nodes find them once they are shared.</p>
    </Group>
  );
}

const WORK: Record<string, string> = {
  compactor: "merges small blocks",
  sweeper: "removes what retention ends, and what nobody names",
};

/** Work that one node does for all. */
export function Leaders({ status: { leaders } }: Part) {
  return (
    <Group id="cluster-leaders" title="Leaders">
      {leaders.map((leader) => (
        <Fact key={leader.work} name={leader.work} title={WORK[leader.work] ?? ""}>
          {leader.node === null ? <span className={css.muted}>nobody yet</span> : <span className={css.mono}>{leader.node}</span>}
          {leader.own && <span className={css.own}>this node</span>}
        </Fact>
      ))}
      {leaders.length === 0 && <Fact name="Not known" title="">the shared store does not answer</Fact>}
      <p className={css.note}>
        The compactor {WORK.compactor}; the sweeper {WORK.sweeper}. Another node takes over by itself: nothing is lost meanwhile.
      </p>
    </Group>
  );
}
