/**
 * The query bar's editor. It lives in a shadow root: there CodeMirror uses constructed style sheets,
 * which the page's policy allows, while style elements are refused.
 */
import { acceptCompletion, autocompletion, closeCompletion, type CompletionContext, type CompletionResult, completionKeymap, completionStatus, startCompletion } from "@codemirror/autocomplete";
import { history, historyKeymap, standardKeymap } from "@codemirror/commands";
import { EditorState, RangeSetBuilder, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView, keymap, placeholder, ViewPlugin, type ViewUpdate } from "@codemirror/view";
import { tokenize } from "./tokens";

export interface ErrorSpan {
  from: number;
  to: number;
}

interface Options {
  parent: HTMLElement;
  text: string;
  label: string;
  onRun: (text: string) => void;
  onChange: (text: string) => void;
  onHistory: (direction: -1 | 1) => boolean;
  onLeave: () => void;
  complete: (query: string, cursor: number, explicit: boolean) => Promise<CompletionResult | null>;
}

export function createEditor(options: Options): EditorView {
  const root = options.parent.shadowRoot ?? options.parent.attachShadow({ mode: "open" });
  const run = (view: EditorView) => {
    closeCompletion(view);
    options.onRun(view.state.doc.toString());
    return true;
  };
  return new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: options.text,
      extensions: [
        history(),
        keymap.of([
          { key: "Tab", run: (view) => (completionStatus(view.state) === "active" ? acceptCompletion(view) : false) },
          { key: "Ctrl-Enter", run },
          { key: "Mod-Enter", run },
          { key: "Escape", run: (view) => closeCompletion(view) || (options.onLeave(), true) },
        ]),
        keymap.of(completionKeymap),
        keymap.of([
          { key: "Enter", run },
          { key: "ArrowUp", run: (view) => onEdge(view, -1) && options.onHistory(-1) },
          { key: "ArrowDown", run: (view) => onEdge(view, 1) && options.onHistory(1) },
          ...historyKeymap,
          ...standardKeymap,
        ]),
        EditorView.lineWrapping,
        placeholder("Search: words, field:value, or * | stats count by service"),
        typeOver,
        EditorView.contentAttributes.of({ "aria-label": options.label, spellcheck: "false", autocapitalize: "off", autocorrect: "off" }),
        EditorView.updateListener.of((update: ViewUpdate) => {
          if (update.docChanged) options.onChange(update.state.doc.toString());
        }),
        autocompletion({
          override: [(context: CompletionContext) => options.complete(context.state.doc.toString(), context.pos, context.explicit)],
          activateOnTypingDelay: 120,
          icons: false,
          // Nothing is chosen until an arrow does it, so no key has to wait for the list.
          selectOnOpen: false,
          interactionDelay: 0,
          tooltipClass: () => "helios-complete",
        }),
        colours,
        errorMark,
        theme,
      ],
    }),
  });
}

/** Arrows reach the history only from the first or last line, and only when no text would be lost to it silently. */
function onEdge(view: EditorView, direction: -1 | 1): boolean {
  const { doc, selection } = view.state;
  const line = doc.lineAt(selection.main.head).number;
  return selection.main.empty && (direction < 0 ? line === 1 : line === doc.lines);
}

export function setText(view: EditorView, text: string): void {
  const old = view.state.doc.toString();
  if (old === text) return;
  view.dispatch({ changes: { from: 0, to: old.length, insert: text }, selection: { anchor: text.length } });
}

export const openCompletion = (view: EditorView) => startCompletion(view);

/** Where coloured text is typed over, the browser would write inline styles to keep the colour, and the policy refuses them. */
const typeOver = EditorView.domEventHandlers({
  beforeinput(event, view) {
    if (event.inputType !== "insertText" || event.data === null || view.composing || view.state.selection.main.empty) return false;
    event.preventDefault();
    view.dispatch(view.state.replaceSelection(event.data), { userEvent: "input.type", scrollIntoView: true });
    return true;
  },
});

const setError = StateEffect.define<ErrorSpan | null>();

/** Underlines where the server found the query wrong; any edit clears it. */
export function showError(view: EditorView, span: ErrorSpan | null): void {
  view.dispatch({ effects: setError.of(span) });
}

const errorMark = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    let next = transaction.docChanged ? Decoration.none : marks;
    for (const effect of transaction.effects) {
      if (!effect.is(setError)) continue;
      const length = transaction.state.doc.length;
      const from = Math.min(effect.value?.from ?? 0, length);
      const to = Math.min(effect.value?.to ?? 0, length);
      next = effect.value && to > from ? Decoration.set([Decoration.mark({ class: "tok-wrong" }).range(from, to)]) : Decoration.none;
    }
    return next;
  },
  provide: (field) => EditorView.decorations.from(field),
});

const marks = new Map<string, Decoration>();
function mark(kind: string): Decoration {
  let known = marks.get(kind);
  if (!known) marks.set(kind, (known = Decoration.mark({ class: `tok-${kind}` })));
  return known;
}

function colour(view: EditorView): DecorationSet {
  const builder = new RangeSetBuilder<Decoration>();
  for (const { kind, from, to } of tokenize(view.state.doc.toString())) {
    if (kind !== "blank" && kind !== "text" && kind !== "word" && to > from) builder.add(from, to, mark(kind));
  }
  return builder.finish();
}

const colours = ViewPlugin.fromClass(
  class {
    decorations: DecorationSet;
    constructor(view: EditorView) {
      this.decorations = colour(view);
    }
    update(update: ViewUpdate) {
      if (update.docChanged) this.decorations = colour(update.view);
    }
  },
  { decorations: (plugin) => plugin.decorations },
);

const theme = EditorView.theme({
  "&": { backgroundColor: "transparent", color: "var(--text)", fontSize: "13px" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--font-mono)", lineHeight: "20px", maxHeight: "140px", overflow: "auto" },
  ".cm-content": { padding: "3px 0", caretColor: "var(--text)" },
  ".cm-line": { padding: "0 8px" },
  ".cm-placeholder": { color: "var(--muted)" },
  ".cm-selectionBackground, ::selection": { backgroundColor: "var(--selected)" },
  ".tok-field": { color: "var(--code-field)" },
  ".tok-colon, .tok-symbol": { color: "var(--muted)" },
  ".tok-string": { color: "var(--code-string)" },
  ".tok-number": { color: "var(--code-number)" },
  ".tok-regex": { color: "var(--code-regex)" },
  ".tok-operator, .tok-not, .tok-paren": { color: "var(--code-operator)" },
  ".tok-pipe": { color: "var(--code-stage)", fontWeight: "700" },
  ".tok-stage": { color: "var(--code-stage)", fontWeight: "600" },
  ".tok-wrong": { textDecoration: "underline wavy var(--error) 1.5px", textUnderlineOffset: "3px" },
  ".cm-tooltip": { border: "1px solid var(--line)", borderRadius: "6px", backgroundColor: "var(--raised)", color: "var(--text)", boxShadow: "var(--shadow)", overflow: "hidden" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--font-mono)", fontSize: "12px", maxHeight: "264px", minWidth: "260px" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "2px 8px", lineHeight: "20px", display: "flex", gap: "16px", justifyContent: "space-between" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent-soft)", color: "var(--text)" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "700", color: "var(--accent)" },
  ".cm-completionDetail": { color: "var(--muted)", fontStyle: "normal", marginLeft: "0" },
});
