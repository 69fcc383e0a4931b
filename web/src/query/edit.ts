/** Changes of a query by click: include, exclude, only this. What the user wrote around it stays as it is. */
import { tokenize } from "./tokens";

export interface Clause {
  /** The term as written, without the negation. */
  text: string;
  negated: boolean;
  from: number;
  to: number;
}

export interface Parts {
  expression: string;
  /** From the first `|` on, with it; empty without stages. */
  stages: string;
}

export function split(query: string): Parts {
  const pipe = tokenize(query).find((t) => t.kind === "pipe");
  if (!pipe) return { expression: query.trim(), stages: "" };
  return { expression: query.slice(0, pipe.from).trim(), stages: query.slice(pipe.from).trim() };
}

const REDUCING = new Set(["stats", "timechart", "top", "rare"]);

/** The part of a query that carries events: all before its first reducing stage. Histogram and field figures are about it. */
export function eventsPart(query: string): string {
  const tokens = tokenize(query);
  const stage = tokens.find((t) => t.kind === "stage" && REDUCING.has(query.slice(t.from, t.to).toLowerCase()));
  const pipe = stage && tokens.findLast((t) => t.kind === "pipe" && t.from < stage.from);
  return (pipe ? query.slice(0, pipe.from) : query).trim();
}

export function join({ expression, stages }: Parts): string {
  if (stages === "") return expression;
  return `${expression === "" ? "*" : expression} ${stages}`;
}

/** The terms that are ANDed at the top, or null if an OR stands there: then nothing can be taken out alone. */
export function clauses(expression: string): Clause[] | null {
  const found: Clause[] = [];
  let depth = 0;
  let negated = false;
  let from = -1;
  let to = 0;
  const close = () => {
    if (from >= 0) found.push({ text: expression.slice(from, to), negated, from, to });
    if (from >= 0) negated = false;
    from = -1;
  };
  for (const token of tokenize(expression)) {
    const text = expression.slice(token.from, token.to);
    if (depth === 0) {
      if (token.kind === "operator" && text === "OR") return null;
      if (token.kind === "operator" && text === "AND") { close(); continue; }
      if (token.kind === "blank") { close(); continue; }
      if (token.kind === "not" && from < 0) { negated = !negated; continue; }
    }
    if (text === "(" || text === "[") depth++;
    if (text === ")" || text === "]") depth = Math.max(0, depth - 1);
    if (from < 0) from = token.from;
    to = token.to;
  }
  close();
  return found;
}

/** Body keys of these names are hidden by a hit's own members and asked as `fields.<name>` (rule 1). */
const HIDDEN = new Set(["env", "index", "id", "raw"]);

/** A field's name as a query writes it. `own` says that it is a hit's own member, not a body key. */
export function fieldName(name: string, own = false): string {
  const path = !own && HIDDEN.has(name.toLowerCase()) ? `fields.${name}` : name;
  return path.replace(/[^\p{L}\p{N}_.@\-]/gu, "\\$&").replace(/^-/, "\\-");
}

/** A value as a query writes it: bare if nothing in it has a meaning, else quoted. */
export function fieldValue(value: string): string {
  const bare = /^[\p{L}\p{N}_][\p{L}\p{N}_.\-]*$/u.test(value) && !/^(AND|OR|NOT|TO)$/.test(value);
  return bare ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
}

export function term(field: string | null, value: string, own = false): string {
  return field === null ? fieldValue(value) : `${fieldName(field, own)}:${fieldValue(value)}`;
}

/** ANDs `added` (or its negation) to the query's expression. Its opposite goes, so that a click can be taken back by another. */
export function addTerm(query: string, added: string, negated: boolean): string {
  const { expression, stages } = split(query);
  const written = negated ? `NOT ${added}` : added;
  const list = clauses(expression);
  if (list === null) return join({ expression: `(${expression}) ${written}`, stages });
  const same = (c: Clause) => c.text.toLowerCase() === added.toLowerCase();
  if (list.some((c) => same(c) && c.negated === negated)) return join({ expression, stages });
  const kept = list.filter((c) => !same(c) && c.text !== "*");
  const texts = [...kept.map((c) => (c.negated ? `NOT ${c.text}` : c.text)), written];
  return join({ expression: texts.join(" "), stages });
}

/** Replaces the expression by one term; the stages stay. */
export function onlyTerm(query: string, term: string): string {
  return join({ expression: term, stages: split(query).stages });
}

/** The query without the clause at `position`. */
export function withoutClause(query: string, position: number): string {
  const { expression, stages } = split(query);
  const list = clauses(expression) ?? [];
  const texts = list.filter((_, i) => i !== position).map((c) => (c.negated ? `NOT ${c.text}` : c.text));
  return join({ expression: texts.join(" "), stages });
}
