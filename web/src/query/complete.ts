/** Completion from the server; where it has none, from the fields that are on the page. */
import type { Completion, CompletionResult } from "@codemirror/autocomplete";
import { api } from "../api/client";
import type { CompletionItem, DiscoveredField } from "../api/types";
import { fieldName, fieldValue } from "./edit";
import { tokenize } from "./tokens";

/** Stages with their signatures, offered after a `|` when the server offers none. */
export const STAGES: [string, string][] = [
  ["stats", "count, sum(f), p95(f) … [by f]"],
  ["timechart", "[span=5m] count [by f]"],
  ["top", "[N] field"],
  ["rare", "[N] field"],
  ["sort", "[-]field, …"],
  ["head", "[N]"],
  ["tail", "[N]"],
  ["where", "condition"],
  ["fields", "[-] field, …"],
  ["rename", "old as new"],
  ["eval", "name=expression"],
  ["dedup", "field, …"],
  ["bin", "span=5m field"],
  ["fillnull", "[value=v] field, …"],
];

export interface Scope {
  env: string;
  index: string;
  start: string;
  end: string;
  fields: DiscoveredField[];
}

let serverCompletes = true;

export async function complete(query: string, cursor: number, explicit: boolean, scope: Scope): Promise<CompletionResult | null> {
  if (!explicit && /(^|\s)$/.test(query.slice(0, cursor)) && !/\|\s*$/.test(query.slice(0, cursor))) return null;
  if (serverCompletes) {
    try {
      const characters = [...query.slice(0, cursor)].length;
      const answer = await api.complete({ q: query, cursor: characters, env: scope.env, index: scope.index, start: scope.start, end: scope.end });
      const units = (count: number) => [...query].slice(0, count).join("").length;
      return answer.items.length === 0 ? null : { from: units(answer.from), to: units(answer.to), options: answer.items.map(option), filter: false };
    } catch (error) {
      serverCompletes = (error as { status?: number }).status !== 404;
    }
  }
  return local(query, cursor, scope.fields);
}

const RANK: Record<CompletionItem["kind"], number> = { value: 3, field: 2, stage: 1, function: 1, keyword: 0 };

/** Options by what they say. The list keeps the chosen option when it is made anew only if that is the same object. */
const known = new Map<string, Completion>();
const KNOWN_MAX = 2000;

export function option(item: CompletionItem): Completion {
  const key = JSON.stringify([item.kind, item.text, item.detail]);
  const same = known.get(key);
  if (same) return same;
  if (known.size >= KNOWN_MAX) known.clear();
  const made = { label: item.text, ...(item.detail ? { detail: item.detail } : {}), boost: RANK[item.kind] ?? 0 };
  known.set(key, made);
  return made;
}

/** Completion out of what the page knows. Pure. */
export function local(query: string, cursor: number, fields: DiscoveredField[]): CompletionResult | null {
  const tokens = tokenize(query.slice(0, cursor));
  const last = tokens.at(-1);
  const solid = tokens.filter((t) => t.kind !== "blank");
  const previous = solid.at(-1);
  const typing = last && ["text", "number", "word", "stage", "string"].includes(last.kind) ? last : null;
  const from = typing?.from ?? cursor;
  const typed = query.slice(from, cursor).toLowerCase().replace(/^"/, "");
  const beforeTyping = typing ? solid.at(-2) : previous;
  const inStages = tokens.some((t) => t.kind === "pipe");

  let options: Completion[];
  if (beforeTyping?.kind === "pipe") options = STAGES.map(([label, detail]) => ({ label, detail, apply: `${label} ` }));
  else if (beforeTyping?.kind === "colon") options = values(query.slice(...colonField(solid)), fields);
  else options = fields.map((f) => ({ label: inStages ? f.name : `${fieldName(f.name)}:`, detail: `${f.kind}, ${Math.round(f.coverage * 100)} %` }));

  const matching = options.filter((o) => o.label.toLowerCase().replace(/^"/, "").includes(typed) && o.label.toLowerCase() !== typed);
  return matching.length === 0 ? null : { from, to: cursor, options: matching, filter: false };
}

function colonField(solid: { kind: string; from: number; to: number }[]): [number, number] {
  const field = solid.findLast((t) => t.kind === "field");
  return field ? [field.from, field.to] : [0, 0];
}

function values(field: string, fields: DiscoveredField[]): Completion[] {
  const known = fields.find((f) => fieldName(f.name).toLowerCase() === field.toLowerCase());
  return (known?.top ?? []).filter(([v]) => v !== null).map(([value, count]) => ({ label: fieldValue(String(value)), detail: String(count) }));
}
