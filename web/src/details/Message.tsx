import { useMemo, useState } from "react";
import { useValueActions } from "../search/values";
import { pieces } from "../search/words";
import { Button } from "../ui/Button";
import { showCount } from "../ui/numbers";
import css from "./Details.module.css";

/** Characters shown before "show all": a megabyte on one line would freeze the page. */
const SHOWN_CHARS = 2_000;

/** The message with every word a value: click for the menu, Alt-click excludes. */
export function Message({ text }: { text: string }) {
  const [all, setAll] = useState(false);
  const { pick } = useValueActions();
  const shown = all ? text : text.slice(0, SHOWN_CHARS);
  const list = useMemo(() => pieces(shown), [shown]);
  return (
    <div className={css.message} data-testid="message">
      {list.map((piece, at) =>
        piece.word ? (
          <button key={at} type="button" tabIndex={-1} className={css.word} onClick={(event) => pick(event, { field: null, value: piece.text })}>{piece.text}</button>
        ) : (
          <span key={at}>{piece.text}</span>
        ),
      )}
      {shown.length < text.length && <Button small onClick={() => setAll(true)}>Show all {showCount(text.length)} characters</Button>}
    </div>
  );
}
