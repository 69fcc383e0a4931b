import { STAGES } from "../query/complete";
import { Dialog } from "../ui/Dialog";
import css from "./Palette.module.css";

export const KEY_HELP: [string, string][] = [
  ["/", "write the query"],
  ["Enter", "open the event; in the query: search"],
  ["j  k", "next and previous event"],
  ["n  N", "next and previous error"],
  ["Esc", "close; leave the query; cancel"],
  ["[  ]", "earlier and later window"],
  ["t", "time range"],
  ["l", "live tail"],
  ["Space", "pause the live tail"],
  ["Ctrl/⌘ K", "all commands"],
  ["Alt click", "exclude a value"],
  ["?", "this"],
];

const SYNTAX: [string, string][] = [
  ["error", "this text anywhere, in any case"],
  ['"disk full"', "these words in this order"],
  ["level:error", "the field has this value"],
  ["status:(500 502 503)", "one of these"],
  ["latency_ms:>1000", "ranges: > >= < <= and [1 TO 9]"],
  ["path:/api/*  /time.?out/", "wildcards; regular expressions"],
  ["user:*  NOT user:*", "present; absent"],
  ["a b,  a OR b,  NOT a,  -a", "and, or, not; OR binds weakest"],
];

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys and syntax" onClose={onClose}>
      <dl className={css.columns}>
        {KEY_HELP.map(([keys, what]) => (
          <div key={keys} className={css.row}>
            <dt><kbd>{keys}</kbd></dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <h3 className={css.section}>Queries</h3>
      <table className={css.syntax}>
        <tbody>
          {SYNTAX.map(([form, meaning]) => (
            <tr key={form}><th scope="row">{form}</th><td>{meaning}</td></tr>
          ))}
        </tbody>
      </table>
      <h3 className={css.section}>Stages, after a |</h3>
      <table className={css.syntax}>
        <tbody>
          {STAGES.map(([name, signature]) => (
            <tr key={name}><th scope="row">{name}</th><td>{signature}</td></tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}
