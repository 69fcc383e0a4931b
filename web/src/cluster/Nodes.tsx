import type { ClusterNode, ClusterStatus } from "../api/types";
import { showBoth, showSpan } from "../time/instant";
import { plural, showBytes, showCount } from "../ui/numbers";
import { inOrder, type NodeState, stateOf } from "./attention";
import css from "./Cluster.module.css";

const WORDS: Record<NodeState, { word: string; title: string }> = {
  alive: { word: "Alive", title: "It was heard of within the last 15 seconds" },
  silent: { word: "Silent", title: "It was not heard of for 15 seconds or longer, and did not say that it stops" },
  stopped: { word: "Stopped", title: "It said that it stops" },
};

/** Widths do not depend on what is in the columns: figures that grow move nothing. */
const COLUMNS = ["colState", "colNode", "colAddress", "colVersion", "colRead", "colBehind", "colWaits", "colProblems", "colLeads"] as const;

/** A node further behind than this is not merely between two rounds. */
const LAG_LONG_S = 60;

/** All nodes that ever were. A node that is not alive is shown as it last said. */
export function Nodes({ status, askedMs }: { status: ClusterStatus; askedMs: number }) {
  const nodes = inOrder(status.nodes);
  const versions = new Set(nodes.filter((n) => n.alive).map((n) => n.version));
  return (
    <section aria-labelledby="cluster-nodes" className={css.section}>
      <h2 id="cluster-nodes">Nodes</h2>
      <div className={css.scroll} role="region" aria-label="Table of nodes" tabIndex={0}>
        <table className={css.table}>
          <colgroup>{COLUMNS.map((name) => <col key={name} className={css[name]} />)}</colgroup>
          <thead>
            <tr>
              <th scope="col">State</th>
              <th scope="col">Node</th>
              <th scope="col">Address</th>
              <th scope="col">Version</th>
              <th scope="col" data-kind="number" title="Since the node had read everything that the shared store has">Last read</th>
              <th scope="col" data-kind="number" title="Partitions with a newer state than it has adopted">Behind</th>
              <th scope="col" data-kind="number" title="Events that are on that node's disk alone">Waits to be shared</th>
              <th scope="col" data-kind="number" title="Partitions that it cannot share">Problems</th>
              <th scope="col">Leads</th>
            </tr>
          </thead>
          <tbody>
            {nodes.map((node) => <Row key={node.node} node={node} askedMs={askedMs} leads={status.leaders.filter((l) => l.node === node.node).map((l) => l.work)} />)}
            {nodes.length === 0 && <tr><td colSpan={9} className={css.muted}>Not known: the shared store does not answer.</td></tr>}
          </tbody>
        </table>
      </div>
      {versions.size > 1 && <p className={css.note}>Versions differ. A version runs beside the next one and no other: finish the upgrade before the next.</p>}
    </section>
  );
}

function Row({ node, askedMs, leads }: { node: ClusterNode; askedMs: number; leads: string[] }) {
  const state = stateOf(node);
  const { word, title } = WORDS[state];
  const lag = node.lag_seconds === null ? null : Number(node.lag_seconds);
  const events = Number(node.waiting_events);
  const said = state !== "stopped";
  return (
    <tr data-state={state}>
      <td className={css.state} title={title}>{word}</td>
      <th scope="row" className={css.name} title={`life ${node.life}`}>{node.node}{node.own && <span className={css.own}>this node</span>}</th>
      <td className={css.mono} title={node.address}>{node.address || "–"}</td>
      <td className={css.mono}>{node.version || "–"}</td>
      <td data-kind="number" data-long={lag !== null && lag > LAG_LONG_S} title={lag === null ? "It has not read everything yet" : state === "alive" ? showBoth(new Date(askedMs - lag * 1000).toISOString()) : "As it last said"}>{!said ? "–" : lag === null ? "not yet" : ago(lag)}</td>
      <td data-kind="number" data-long={Number(node.behind) > 0} title={plural(Number(node.behind), "partition")}>{said ? showCount(Number(node.behind)) : "–"}</td>
      <td data-kind="number" title={`${plural(Number(node.waiting_bytes), "byte")}`}>{!said ? "–" : events === 0 ? "nothing" : `${plural(events, "event")} · ${showBytes(Number(node.waiting_bytes))}`}</td>
      <td data-kind="number" data-bad={Number(node.problems) > 0}>{said ? showCount(Number(node.problems)) : "–"}</td>
      <td>{leads.join(", ") || "–"}</td>
    </tr>
  );
}

/** `3 s ago`; what is younger than a second is now. */
export function ago(seconds: number): string {
  return seconds <= 0 ? "now" : `${showSpan(seconds * 1000)} ago`;
}
