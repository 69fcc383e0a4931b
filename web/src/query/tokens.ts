/**
 * A light reading of the query language, for colours and for editing by click. It never decides what a
 * query means: the server does that. It only has to agree with it on where terms, strings and stages end.
 */

export type TokenKind =
  | "field" | "colon" | "text" | "string" | "regex" | "operator" | "not" | "paren" | "pipe"
  | "stage" | "word" | "number" | "symbol" | "blank";

export interface Token {
  kind: TokenKind;
  from: number;
  to: number;
}

const KEYWORDS = new Set(["AND", "OR", "TO"]);

/** Tokens that cover the whole text, in order. */
export function tokenize(query: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < query.length) {
    const stagesBegin = query[at] === "|";
    if (stagesBegin) break;
    at = expressionToken(query, at, tokens);
  }
  while (at < query.length) at = stageToken(query, at, tokens);
  return tokens;
}

function push(tokens: Token[], kind: TokenKind, from: number, to: number): number {
  tokens.push({ kind, from, to });
  return to;
}

function expressionToken(q: string, at: number, tokens: Token[]): number {
  const c = q.charAt(at);
  const before = tokens.at(-1);
  const startsTerm = before === undefined || before.kind === "blank" || before.kind === "paren" || before.kind === "not";
  if (/\s/.test(c)) return push(tokens, "blank", at, endOf(q, at, /\s/));
  if (c === "(" || c === ")") return push(tokens, "paren", at, at + 1);
  if (c === '"') return push(tokens, "string", at, endOfString(q, at));
  if (c === "-" && startsTerm && at + 1 < q.length) return push(tokens, "not", at, at + 1);
  if (c === "/" && (startsTerm || before?.kind === "colon")) {
    const end = endOfRegex(q, at, before?.kind === "colon");
    if (end > at) return push(tokens, "regex", at, end);
  }
  if ((c === "[" || c === "]") && (before?.kind === "colon" || c === "]")) return push(tokens, "symbol", at, at + 1);
  return wordToken(q, at, tokens, startsTerm);
}

function wordToken(q: string, at: number, tokens: Token[], startsTerm: boolean): number {
  let end = at;
  while (end < q.length && !/[\s()"|]/.test(q.charAt(end))) {
    if (q[end] === "\\") end++;
    else if (q[end] === ":" && startsTerm && end > at) {
      push(tokens, "field", at, end);
      push(tokens, "colon", end, end + 1);
      const compare = /^(>=|<=|!=|>|<|=)/.exec(q.slice(end + 1));
      return compare ? push(tokens, "operator", end + 1, end + 1 + compare[0].length) : end + 1;
    } else if (q[end] === "]" && end > at) break;
    end++;
  }
  end = Math.min(Math.max(end, at + 1), q.length);
  const word = q.slice(at, end);
  if (KEYWORDS.has(word)) return push(tokens, "operator", at, end);
  if (word === "NOT") return push(tokens, "not", at, end);
  return push(tokens, /^-?\d+(\.\d+)?$/.test(word) ? "number" : "text", at, end);
}

function stageToken(q: string, at: number, tokens: Token[]): number {
  const c = q.charAt(at);
  if (c === "|") return push(tokens, "pipe", at, at + 1);
  if (/\s/.test(c)) return push(tokens, "blank", at, endOf(q, at, /\s/));
  if (c === '"') return push(tokens, "string", at, endOfString(q, at));
  if (c === "`") {
    const close = q.indexOf("`", at + 1);
    return push(tokens, "field", at, close < 0 ? q.length : close + 1);
  }
  if (c === "(" || c === ")") return push(tokens, "paren", at, at + 1);
  if (/[\p{L}_@]/u.test(c)) {
    const end = endOf(q, at, /[\p{L}\p{N}_.@]/u);
    const last = tokens.findLast((t) => t.kind !== "blank");
    const word = q.slice(at, end);
    if (last?.kind === "pipe") return push(tokens, "stage", at, end);
    if (/^(by|as|if|and|or|not|in|true|false|null)$/i.test(word)) return push(tokens, "operator", at, end);
    return push(tokens, "word", at, end);
  }
  if (/\d/.test(c)) return push(tokens, "number", at, endOf(q, at, /[\d.a-z]/));
  return push(tokens, "symbol", at, at + 1);
}

function endOf(q: string, at: number, what: RegExp): number {
  while (at < q.length && what.test(q.charAt(at))) at++;
  return at;
}

function endOfString(q: string, at: number): number {
  for (let i = at + 1; i < q.length; i++) {
    if (q[i] === "\\") i++;
    else if (q[i] === '"') return i + 1;
  }
  return q.length;
}

/** After a colon a regex must end before a blank, `)`, `|` or the end, else `path:/api/*` would be one (rule 8). */
function endOfRegex(q: string, at: number, afterColon: boolean): number {
  for (let i = at + 1; i < q.length; i++) {
    if (q[i] === "\\") i++;
    else if (q[i] === "/") {
      const follows = q[i + 1];
      return !afterColon || follows === undefined || /[\s)|]/.test(follows) ? i + 1 : -1;
    }
  }
  return -1;
}
