import type { ReactNode } from "react";
import type { CryptoAnswer, KeyInUse } from "../api/types";
import { showBoth } from "../time/instant";
import { Button } from "../ui/Button";
import { plural, showCount } from "../ui/numbers";
import { copyText } from "../ui/toast";
import { Words } from "../ui/Words";
import css from "./Crypto.module.css";
import { connections, showKeyAge, showSeals, showVersion } from "./verdict";

interface Part {
  answer: CryptoAnswer;
}

interface Props {
  id: "listeners" | "connections" | "keys" | "services" | "hashes";
  title: string;
  columns: string[];
  /** Columns that hold numbers. */
  numbers?: string[];
  /** Nothing but why there is nothing: such a table needs no head, and always has room. */
  empty?: boolean;
  /** What is below the table. */
  more?: ReactNode;
  children: ReactNode;
}

/** A table whose widths do not depend on what is in it. It can be moved sideways by keys where it has no room. */
function Table({ id, title, columns, numbers = [], empty = false, more, children }: Props) {
  return (
    <section aria-labelledby={`crypto-${id}`} className={css.section}>
      <h2 id={`crypto-${id}`}>{title}</h2>
      <div className={css.scroll} role="region" aria-label={`Table: ${title}`} tabIndex={0}>
        <table className={`${css.table} ${css[id]}`} data-empty={empty}>
          <colgroup>{columns.map((name) => <col key={name} />)}</colgroup>
          <thead><tr>{columns.map((name) => <th key={name} scope="col" data-kind={numbers.includes(name) ? "number" : undefined}>{name}</th>)}</tr></thead>
          <tbody>{children}</tbody>
        </table>
      </div>
      {more}
    </section>
  );
}

const COMMAND = "helios serve --ssl-port 7443 --tls-cert /etc/helios/tls.pem --tls-key /etc/helios/tls.key";

export function Listeners({ answer: { listeners } }: Part) {
  const hasTls = listeners.some((listener) => listener.tls);
  return (
    <Table id="listeners" title="Listeners" columns={["Address", "Takes"]} more={!hasTls && <NoTls />}>
      {listeners.map(({ addr, tls }) => (
        <tr key={addr}>
          <th scope="row" className={css.mono}>{addr}</th>
          <td>{tls ? "TLS, and nothing else" : "HTTP in the clear"}</td>
        </tr>
      ))}
      {listeners.length === 0 && <tr><td colSpan={2} className={css.muted}>This server listens nowhere that it knows of.</td></tr>}
    </Table>
  );
}

function NoTls() {
  return (
    <div className={css.hint} data-testid="no-tls">
      <p>No listener takes TLS. Start the server with a port, a certificate and its key, and it serves the same there, beside the plain port. TLS hides what is sent; it lets nobody in or out.</p>
      <div className={css.command}>
        <pre className={css.code} tabIndex={0} aria-label="How to start a server with TLS">{COMMAND}</pre>
        <Button small icon="copy" onClick={() => void copyText(COMMAND, "the command")}>Copy</Button>
      </div>
      <p className={css.muted}><Words text="`docs/operations.md` says the rest." /></p>
    </div>
  );
}

/** What was negotiated. The server counts by direction, not by peer. */
export function Connections({ answer }: Part) {
  const { incoming, outgoing } = answer.connections;
  const noneIn = answer.listeners.some((listener) => listener.tls) ? "None yet: nobody has connected over TLS since the start." : "None: no listener takes TLS.";
  const failed = Number(incoming.refused) + Number(outgoing.refused);
  const more = (
    <p className={css.note}>
      {failed === 0 ? "No handshake has failed since the start." : `Handshakes that failed or did not end since the start: ${showCount(Number(incoming.refused))} in, ${showCount(Number(outgoing.refused))} out.`}
    </p>
  );
  return (
    <Table id="connections" title="Negotiated over TLS" columns={["Way", "Version", "Suite", "Key exchange", "Connections"]} numbers={["Connections"]} empty={connections(answer).length === 0} more={more}>
      {incoming.negotiated.length === 0 && <None way="In" why={noneIn} />}
      {connections(answer).map((c) => (
        <tr key={`${c.way} ${c.version} ${c.suite} ${c.group}`}>
          <th scope="row">{c.way}</th>
          <td>{showVersion(c.version)}</td>
          <td className={css.mono}>{c.suite}</td>
          <td className={css.mono} title={c.group === "resumed" ? "An earlier session was taken up again, without a key exchange" : undefined}>{c.group}</td>
          <td data-kind="number">{showCount(Number(c.connections))}</td>
        </tr>
      ))}
      {outgoing.negotiated.length === 0 && <None way="Out" why="None. This server connects over TLS to an object store only, when a cluster shares one." />}
    </Table>
  );
}

function None({ way, why }: { way: string; why: string }) {
  return <tr><th scope="row">{way}</th><td colSpan={4} className={css.muted}>{why}</td></tr>;
}

export function Keys({ answer: { keys } }: Part) {
  return (
    <Table id="keys" title="Keys in use" columns={["Purpose", "Id", "Algorithm", "Age", "Seals"]} numbers={["Seals"]} empty={keys.length === 0} more={keys.length > 0 && <p className={css.note}>An id is not secret; that of a certificate is its SHA-256. Seals are counted in this life of the process.</p>}>
      {keys.map((key) => <Key key={`${key.purpose} ${key.id}`} of={key} />)}
      {keys.length === 0 && <tr><td colSpan={5} className={css.muted}>None. A node of a cluster has a key that seals control documents, and a listener for TLS has that of its certificate.</td></tr>}
    </Table>
  );
}

function Key({ of: key }: { of: KeyInUse }) {
  const { text, share, remark } = showSeals(key);
  return (
    <tr>
      <th scope="row">{key.purpose}</th>
      <td className={css.mono}>{key.id}</td>
      <td>{key.algorithm}</td>
      <td title={key.since === null ? "Its file does not say when it was made" : showBoth(key.since)}>{showKeyAge(key)}</td>
      <td data-kind="number" title={share === "" ? undefined : `${share} of what is allowed in one life of the process`}>
        {share === "" ? <span className={css.muted}>{text}</span> : text}
        {remark !== "" && <strong className={css.remark}>{remark}</strong>}
      </td>
    </tr>
  );
}

export function Services({ answer: { services } }: Part) {
  return (
    <Table id="services" title="What the module is used for" columns={["Algorithm", "Used for", "Bounds"]}>
      {services.map((s) => <tr key={s.algorithm}><th scope="row">{s.algorithm}</th><td>{s.purpose}</td><td>{s.bound}</td></tr>)}
    </Table>
  );
}

export function Hashes({ answer: { other_hashes: hashes } }: Part) {
  return (
    <Table id="hashes" title="Hashes that protect nothing" columns={["Algorithm", "Used for", "Why no security rests on it"]} more={<p className={css.note}>{plural(hashes.length, "hash", "hashes")} in the binary that do not come from the module.</p>}>
      {hashes.map((h) => <tr key={h.algorithm}><th scope="row">{h.algorithm}</th><td>{h.purpose}</td><td>{h.reason}</td></tr>)}
    </Table>
  );
}
