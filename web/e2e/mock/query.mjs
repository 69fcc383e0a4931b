/**
 * A small reader of the query language for the mock server: terms, quoted words, fields, comparisons, AND, OR, NOT,
 * brackets, and the stages `stats count by`, `timechart`, `top` and `head`. Just enough for the page's journeys;
 * what it cannot read is an error with its column, as the server gives it.
 */

export class BadQuery extends Error {
  constructor(message, column, length, hint, fix) {
    super(message);
    this.body = { code: "bad_query", parameter: "q", message, column, length, ...(hint ? { hint } : {}), ...(fix ? { fix } : {}) };
  }
}

export function parse(text) {
  const reader = new Reader(text);
  const test = reader.expression();
  const stages = [];
  reader.blanks();
  while (reader.at < text.length) stages.push(reader.stage());
  return { test, stages };
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  blanks() {
    while (/\s/.test(this.text[this.at] ?? "")) this.at++;
  }

  expression() {
    const any = [this.all()];
    while (this.word("OR")) any.push(this.all());
    return (event) => any.some((test) => test(event));
  }

  all() {
    const tests = [];
    for (;;) {
      this.blanks();
      const c = this.text[this.at];
      if (c === undefined || c === "|" || c === ")" || this.peek("OR")) return (event) => tests.every((test) => test(event));
      if (this.word("AND")) continue;
      tests.push(this.term());
    }
  }

  peek(word) {
    this.blanks();
    return this.text.startsWith(word, this.at) && /[\s(]|$/.test(this.text[this.at + word.length] ?? " ");
  }

  word(word) {
    if (!this.peek(word)) return false;
    this.at += word.length;
    return true;
  }

  term() {
    if (this.word("NOT")) return not(this.termOrFail("NOT"));
    if (this.text[this.at] === "-") {
      this.at++;
      return not(this.termOrFail("-"));
    }
    if (this.text[this.at] === "(") {
      const open = this.at++;
      const inner = this.expression();
      this.blanks();
      if (this.text[this.at] !== ")") {
        throw new BadQuery("This bracket is never closed.", open + 1, 1, "Add a closing bracket.", `${this.text})`);
      }
      this.at++;
      return inner;
    }
    if (this.text[this.at] === '"') return phrase(this.quoted());
    return this.plain();
  }

  termOrFail(after) {
    this.blanks();
    if (this.at >= this.text.length) throw new BadQuery(`A term is missing after ${after}.`, this.at + 1, 1);
    return this.term();
  }

  quoted() {
    const open = this.at++;
    let out = "";
    for (; this.text[this.at] !== '"'; this.at++) {
      if (this.at >= this.text.length) {
        throw new BadQuery("This quote is never closed.", [...this.text.slice(0, open)].length + 1, 1, "Add a closing quote.", `${this.text}"`);
      }
      if (this.text[this.at] === "\\") this.at++;
      out += this.text[this.at] ?? "";
    }
    this.at++;
    return out;
  }

  bare() {
    let out = "";
    for (; this.at < this.text.length && !/[\s()|":]/.test(this.text[this.at]); this.at++) {
      if (this.text[this.at] === "\\") this.at++;
      out += this.text[this.at] ?? "";
    }
    return out;
  }

  plain() {
    const name = this.bare();
    if (this.text[this.at] !== ":") {
      const needle = name.toLowerCase().replaceAll("*", "");
      return (event) => event.text.includes(needle);
    }
    this.at++;
    const compare = /^(>=|<=|!=|>|<|=)/.exec(this.text.slice(this.at))?.[0] ?? "";
    this.at += compare.length;
    const quoted = this.text[this.at] === '"';
    const value = quoted ? this.quoted() : this.restOfValue();
    return field(name, compare, value, quoted);
  }

  restOfValue() {
    let out = this.bare();
    while (this.text[this.at] === ":") {
      out += ":";
      this.at++;
      out += this.bare();
    }
    return out;
  }

  stage() {
    this.blanks();
    if (this.text[this.at] !== "|") throw new BadQuery("This is not part of the query.", this.at + 1, 1, "Take it out.");
    this.at++;
    this.blanks();
    const from = this.at;
    const end = this.text.indexOf("|", from);
    const body = this.text.slice(from, end < 0 ? undefined : end).trim();
    this.at = end < 0 ? this.text.length : end;
    const stage = readStage(body);
    if (!stage) {
      const name = /^\S*/.exec(body)[0];
      const near = ["stats", "timechart", "top", "head"].find((s) => s[0] === name[0]);
      const fix = near && name ? this.text.slice(0, from) + near + this.text.slice(from + name.length) : undefined;
      throw new BadQuery(`There is no stage ${name || "here"}.`, from + 1, Math.max(1, name.length), near ? `Did you mean ${near}?` : undefined, fix);
    }
    return stage;
  }
}

function readStage(body) {
  let m = /^stats\s+count(?:\s+by\s+([\w.]+))?$/.exec(body);
  if (m) return { kind: "stats", by: m[1] };
  m = /^timechart\s+(?:span=(\d+)(s|m|h|d)\s+)?count(?:\s+by\s+([\w.]+))?$/.exec(body);
  if (m) return { kind: "timechart", spanMs: m[1] ? Number(m[1]) * { s: 1e3, m: 6e4, h: 36e5, d: 864e5 }[m[2]] : undefined, by: m[3] };
  m = /^top\s+(?:(\d+)\s+)?([\w.]+)$/.exec(body);
  if (m) return { kind: "top", count: Number(m[1] ?? 10), field: m[2] };
  m = /^head\s+(\d+)$/.exec(body);
  return m ? { kind: "head", count: Number(m[1]) } : null;
}

const not = (test) => (event) => !test(event);

function phrase(words) {
  const wanted = ` ${split(words)} `;
  return (event) => ` ${split(event.text)} `.includes(wanted);
}

const split = (text) => text.toLowerCase().split(/[^\p{L}\p{N}_]+/u).join(" ");

export function valuesOf(hit, name) {
  const path = name.replace(/^fields\./, "").toLowerCase();
  const own = ["timestamp", "message", "source", "env", "index", "id", "raw"].includes(name.toLowerCase());
  if (own) return hit[name.toLowerCase()] === null ? [] : [String(hit[name.toLowerCase()])];
  return Object.entries(hit.fields).filter(([key]) => key.toLowerCase() === path).flatMap(([, v]) => (Array.isArray(v) ? v : [v])).map(String);
}

function field(name, compare, value, quoted) {
  const folded = value.toLowerCase();
  return (event) => {
    const values = valuesOf(event.hit, name).map((v) => v.toLowerCase());
    if (value === "*" && !quoted) return values.length > 0;
    if (["message", "raw"].includes(name) && compare === "") return values.some((v) => ` ${split(v)} `.includes(` ${split(value)} `));
    if (compare === "!=") return !values.includes(folded);
    return values.some((v) => {
      if (compare === ">") return Number(v) > Number(value);
      if (compare === ">=") return Number(v) >= Number(value);
      if (compare === "<") return Number(v) < Number(value);
      if (compare === "<=") return Number(v) <= Number(value);
      if (!quoted && /[*?]/.test(value)) return wild(folded).test(v);
      return v === folded;
    });
  };
}

function wild(pattern) {
  return new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*").replaceAll("?", ".")}$`, "s");
}
