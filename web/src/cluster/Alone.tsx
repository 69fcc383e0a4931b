import { useState } from "react";
import { Button, Segments } from "../ui/Button";
import { copyText } from "../ui/toast";
import css from "./Cluster.module.css";

type Kind = "bucket" | "folder";

const COMMANDS: Record<Kind, string> = {
  bucket: `AWS_REGION=eu-west-1 AWS_PROFILE=logs \\
helios serve --shared-store s3://bucket/prefix --control-key-path /etc/helios/control.json`,
  folder: `# a folder that all nodes have mounted
helios serve --shared-store /mnt/logs --control-key-path /etc/helios/control.json`,
};

/** A node that is to share a store and could not reach it yet. */
export function Joining({ warnings }: { warnings: string[] }) {
  return (
    <section className={css.alone} data-testid="joining">
      <h2>This node has not joined its cluster yet.</h2>
      <ul>{warnings.map((warning) => <li key={warning}>{warning.charAt(0).toUpperCase() + warning.slice(1)}.</li>)}</ul>
      <p>It takes events and answers with what is on its own disk, and joins by itself as soon as it can. Look at the network, the credentials and the store; its log says more.</p>
    </section>
  );
}

/** A node without a shared store: what a cluster is, and how to join one. */
export function Alone() {
  const [kind, setKind] = useState<Kind>("bucket");
  return (
    <section className={css.alone} data-testid="alone">
      <h2>This node keeps everything on its own disk.</h2>
      <p>
        Several nodes that share a bucket or a folder form a cluster: each takes events by itself, and each finds the events of all. Start this one again with a shared store, and it joins with all that it has.
      </p>
      <div className={css.how}>
        <Segments<Kind> label="What is shared" value={kind} onChange={setKind} options={[{ value: "bucket", label: "A bucket (S3)" }, { value: "folder", label: "A folder (NFS)" }]} />
        <Button small icon="copy" onClick={() => void copyText(COMMANDS[kind], "the command")}>Copy</Button>
      </div>
      <pre className={css.code} tabIndex={0} aria-label="How to start a node of a cluster">{COMMANDS[kind]}</pre>
      <p className={css.muted}>The first node makes the key file. Copy it to all others before they start: a node with another key cannot join. <code>docs/cluster.md</code> says the rest.</p>
    </section>
  );
}
