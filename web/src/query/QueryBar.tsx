import type { EditorView } from "@codemirror/view";
import { useEffect, useImperativeHandle, useRef, useState, type Ref } from "react";
import type { ErrorBody } from "../api/types";
import { Button } from "../ui/Button";
import { complete, type Scope } from "./complete";
import { createEditor, setText, showError } from "./editor";
import { usePast } from "./history";
import css from "./QueryBar.module.css";

export interface QueryBarHandle {
  focus: () => void;
}

interface Props {
  query: string;
  error: ErrorBody | null;
  scope: Scope;
  onRun: (query: string) => void;
  onLeave: () => void;
  ref?: Ref<QueryBarHandle>;
}

/** The query text with its colours, completion and, below it, what is wrong with it and where. */
export function QueryBar({ query, error, scope, onRun, onLeave, ref }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const editor = useRef<EditorView | null>(null);
  const [draft, setDraft] = useState(query);
  const [past] = usePast();
  const live = useRef({ onRun, onLeave, scope, past, draftBefore: "", at: -1 });
  useEffect(() => {
    Object.assign(live.current, { onRun, onLeave, scope, past });
  });
  useImperativeHandle(ref, () => ({ focus: () => editor.current?.focus() }), []);

  useEffect(() => {
    if (!host.current) return;
    const view = createEditor({
      parent: host.current,
      text: query,
      label: "Query",
      onRun: (text) => {
        live.current.at = -1;
        live.current.onRun(text);
      },
      onChange: setDraft,
      onLeave: () => {
        view.contentDOM.blur();
        live.current.onLeave();
      },
      onHistory: (direction) => {
        const state = live.current;
        const at = state.at - direction;
        if (at < -1 || at >= state.past.length) return false;
        if (state.at === -1) state.draftBefore = view.state.doc.toString();
        state.at = at;
        setText(view, at === -1 ? state.draftBefore : (state.past[at]?.query ?? ""));
        return true;
      },
      complete: (text, cursor, explicit) => complete(text, cursor, explicit, live.current.scope),
    });
    editor.current = view;
    return () => view.destroy();
    // The editor is made once; a query that changes elsewhere is written into it below.
  }, []);

  useEffect(() => {
    if (editor.current) setText(editor.current, query);
  }, [query]);

  // An error speaks of the query that was run; once the text is edited its column means nothing.
  const shown = error && draft === query ? error : null;
  const span = shown === null ? null : errorSpan(query, shown);
  const from = span?.from ?? null;
  const to = span?.to ?? null;
  useEffect(() => {
    if (editor.current) showError(editor.current, from === null || to === null ? null : { from, to });
  }, [from, to, shown]);

  const fix = shown?.fix;
  return (
    <div className={css.bar}>
      <div ref={host} className={css.editor} data-wrong={shown !== null} data-testid="query" />
      {shown && (
        <ErrorNote error={shown} at={from} editor={editor}>
          {fix !== undefined && fix !== query && (
            <Button small onClick={() => onRun(fix)} title="Puts this into the query and searches">
              Use <code className={css.fix}>{fix}</code>
            </Button>
          )}
        </ErrorNote>
      )}
    </div>
  );
}

/** Where in the text an error is. The server counts characters; the editor counts UTF-16 units. */
export function errorSpan(query: string, error: ErrorBody): { from: number; to: number } | null {
  if (error.column === undefined || (error.parameter !== undefined && error.parameter !== "q")) return null;
  const points = [...query];
  const units = (count: number) => points.slice(0, Math.max(0, count)).join("").length;
  const column = Number(error.column) - 1;
  return { from: units(column), to: units(column + Math.max(1, Number(error.length ?? 1))) };
}

interface NoteProps {
  error: ErrorBody;
  /** Where the caret points, in UTF-16 units; null if the error is about no place. */
  at: number | null;
  editor: React.RefObject<EditorView | null>;
  children: React.ReactNode;
}

function ErrorNote({ error, at, editor, children }: NoteProps) {
  const [caretPx, setCaretPx] = useState<number | null>(null);
  useEffect(() => {
    const view = editor.current;
    if (!view || at === null) return setCaretPx(null);
    const place = () => {
      const place = view.coordsAtPos(Math.min(at, view.state.doc.length));
      setCaretPx(place ? place.left - view.dom.getBoundingClientRect().left : null);
    };
    const frame = requestAnimationFrame(place);
    window.addEventListener("resize", place);
    return () => {
      cancelAnimationFrame(frame);
      window.removeEventListener("resize", place);
    };
  }, [at, error, editor]);
  return (
    <div className={css.error} role="alert">
      {caretPx !== null && (
        <span className={css.caret} style={{ left: caretPx }} data-testid="caret" aria-hidden="true">
          ▲
        </span>
      )}
      <span className={css.message}>
        <strong>{error.message}</strong>
        {at !== null && <span className={css.where}> (column {error.column})</span>}
        {error.hint && <span> {error.hint}</span>}
      </span>
      {children}
      {error.request_id && at === null && <span className={css.where}>request {error.request_id}</span>}
    </div>
  );
}
