import { useState } from "react";
import type { ClusterStatus } from "../api/types";
import { Beside } from "../app/Beside";
import { Button } from "../ui/Button";
import { Facts } from "../ui/Facts";
import { plural } from "../ui/numbers";
import { Words } from "../ui/Words";
import { Alone, Joining } from "./Alone";
import { attention, type Item, stateOf, worst } from "./attention";
import css from "./Cluster.module.css";
import { Leaders, Store, Waiting } from "./Facts";
import { Nodes } from "./Nodes";
import { type Look, useCluster, WATCH_EVERY_MS } from "./useCluster";

/** Nodes, leaders, the shared store and what is wrong, as this node sees it now. */
export function ClusterPage() {
  const cluster = useCluster(WATCH_EVERY_MS);
  const look = cluster.data;
  return (
    <Beside title="Cluster" id="cluster" label="State of the cluster" summary={<Summary look={look} />} askedMs={look?.askedMs} error={cluster.error}>
      {look && (look.answer.enabled ? <State status={look.answer} askedMs={look.askedMs} /> : look.answer.warnings.length > 0 ? <Joining warnings={look.answer.warnings} /> : <Alone />)}
    </Beside>
  );
}

/** How many nodes there are, and whether a person is needed. */
function Summary({ look }: { look: Look | undefined }) {
  const answer = look?.answer;
  if (!answer) return null;
  if (!answer.enabled) return answer.warnings.length > 0 ? <strong className={css.needs}>not joined yet</strong> : "This node is in no cluster";
  const alive = answer.nodes.filter((n) => stateOf(n) === "alive").length;
  const silent = answer.nodes.filter((n) => stateOf(n) === "silent").length;
  const items = attention(answer);
  return (
    <>
      {answer.nodes.length > 0 && <>{plural(alive, "node")} alive{silent > 0 && `, ${silent} silent`} · </>}
      {items.length === 0 ? "nothing needs attention" : <strong className={css.needs} data-tone={worst(items)}>{plural(items.length, "thing needs", "things need")} attention</strong>}
    </>
  );
}

function State({ status, askedMs }: { status: ClusterStatus; askedMs: number }) {
  const items = attention(status);
  return (
    <>
      {items.length > 0 && (
        <section aria-labelledby="cluster-attention" className={css.section}>
          <h2 id="cluster-attention">Needs attention</h2>
          <ul className={css.items}>{items.map((item) => <Attention key={`${item.word} ${item.what}`} item={item} />)}</ul>
        </section>
      )}
      <Nodes status={status} askedMs={askedMs} />
      <Facts>
        <Store status={status} askedMs={askedMs} />
        <Waiting status={status} />
        <Leaders status={status} />
      </Facts>
    </>
  );
}

/** Partitions that are named before somebody asks for all of them. */
const NAMED_MAX = 5;

function Attention({ item }: { item: Item }) {
  const [all, setAll] = useState(false);
  const shown = all ? item.partitions : item.partitions.slice(0, NAMED_MAX);
  const more = item.partitions.length - shown.length;
  return (
    <li className={css.item} data-tone={item.tone}>
      <strong>{item.word}</strong>
      <p><Words text={item.what} /></p>
      {item.partitions.length > 0 && (
        <p className={css.partitions}>
          {shown.map((name) => <code key={name}>{name}</code>)}
          {more > 0 && <Button small look="quiet" onClick={() => setAll(true)}>and {plural(more, "more partition")}</Button>}
        </p>
      )}
      {item.todo !== "" && <p className={css.todo}><span>What to do</span> <Words text={item.todo} /></p>}
    </li>
  );
}
