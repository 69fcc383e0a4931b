/**
 * JSON that keeps numbers as they were sent. `JSON.parse` turns 12345678901234567891 into another
 * number; a log page that shows another number than the log holds is lying.
 */

/** A number whose text says more than a 64-bit float can. Behaves as a number in arithmetic. */
export class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
  valueOf(): number {
    return Number(this.text);
  }
  toString(): string {
    return this.text;
  }
  toJSON(): number {
    return Number(this.text);
  }
}

type ReviverContext = { source?: string };

function keepExactNumbers(_key: string, value: unknown, context?: ReviverContext): unknown {
  // Engines without source text access pass no context: the float is then the best there is.
  if (typeof value !== "number" || context?.source === undefined) return value;
  return String(value) === context.source ? value : new ExactNumber(context.source);
}

export function parseJson(text: string): unknown {
  return JSON.parse(text, keepExactNumbers as (key: string, value: unknown) => unknown);
}

/** One value of a JSON document, numbers as text, members in order and duplicates kept. */
export type JsonNode =
  | { kind: "object"; members: [string, JsonNode][] }
  | { kind: "array"; items: JsonNode[] }
  | { kind: "string"; text: string }
  | { kind: "number"; text: string }
  | { kind: "literal"; text: "true" | "false" | "null" };

/** Nesting the tree view follows; deeper documents are shown raw instead. */
const DEPTH_MAX = 64;

/** Reads a JSON object into nodes, or returns null if `text` is not one. Used for one opened event at a time. */
export function readJsonTree(text: string): JsonNode | null {
  try {
    const reader = new TreeReader(text);
    const node = reader.value(0);
    return reader.atEnd() && node.kind === "object" ? node : null;
  } catch {
    return null;
  }
}

class TreeReader {
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  atEnd(): boolean {
    this.blanks();
    return this.at === this.text.length;
  }

  value(depth: number): JsonNode {
    if (depth > DEPTH_MAX) throw new SyntaxError("too deep");
    this.blanks();
    const c = this.text[this.at];
    if (c === "{") return this.object(depth);
    if (c === "[") return this.array(depth);
    if (c === '"') return { kind: "string", text: this.string() };
    for (const word of ["true", "false", "null"] as const) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return { kind: "literal", text: word };
      }
    }
    const number = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/.exec(this.text.slice(this.at, this.at + 1024));
    if (!number) throw new SyntaxError("no value");
    this.at += number[0].length;
    return { kind: "number", text: number[0] };
  }

  private object(depth: number): JsonNode {
    const members: [string, JsonNode][] = [];
    this.at++;
    if (this.take("}")) return { kind: "object", members };
    do {
      this.blanks();
      const name = this.string();
      this.need(":");
      members.push([name, this.value(depth + 1)]);
    } while (this.take(","));
    this.need("}");
    return { kind: "object", members };
  }

  private array(depth: number): JsonNode {
    const items: JsonNode[] = [];
    this.at++;
    if (this.take("]")) return { kind: "array", items };
    do items.push(this.value(depth + 1));
    while (this.take(","));
    this.need("]");
    return { kind: "array", items };
  }

  private string(): string {
    const start = this.at;
    if (this.text[this.at] !== '"') throw new SyntaxError("no string");
    for (this.at++; this.text[this.at] !== '"'; this.at++) {
      if (this.at >= this.text.length) throw new SyntaxError("open string");
      if (this.text[this.at] === "\\") this.at++;
    }
    this.at++;
    return JSON.parse(this.text.slice(start, this.at)) as string;
  }

  private take(c: string): boolean {
    this.blanks();
    if (this.text[this.at] !== c) return false;
    this.at++;
    return true;
  }

  private need(c: string): void {
    if (!this.take(c)) throw new SyntaxError(`no ${c}`);
  }

  private blanks(): void {
    while (" \t\r\n".includes(this.text[this.at] ?? "x")) this.at++;
  }
}
