/**
 * A stand-in for the server, for working on the page without one: the same endpoints and shapes over events in memory.
 *   node e2e/mock-server.mjs [--port 7399] [--events 20000] [--dist dist] [--cluster none|joining|healthy|troubled|unreachable|conflict]
 *     [--crypto plain|fips|troubled]
 * It promises nothing about the query language beyond what `mock/query.mjs` reads.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { CLUSTERS } from "./mock/cluster.mjs";
import { CRYPTO } from "./mock/crypto.mjs";
import { madeUp } from "./mock/events.mjs";
import { BadQuery, parse, valuesOf } from "./mock/query.mjs";

const option = (name, usual) => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? usual : process.argv[at + 1];
};
const PORT = Number(option("port", "7399"));
const DIST = option("dist", new URL("../dist", import.meta.url).pathname);

/** Which cluster and which cryptography are shown; a request may ask for another one with `?mock=`. */
const CLUSTER = option("cluster", "none");
const CRYPTOGRAPHY = option("crypto", "plain");

const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Newest first. */
let events = [];
const tails = new Set();
let sequence = 0;

function ingest(lines, env, index) {
  const added = [];
  for (const line of lines) {
    if (line.trim() === "") continue;
    const body = JSON.parse(line);
    const time = body.timestamp ?? body.ts ?? body.time;
    const hit = {
      id: `00000000000000aa-${++sequence}`,
      timestamp: new Date(time ?? Date.now()).toISOString(),
      env,
      index,
      source: body.source ?? null,
      message: String(body.message ?? body.msg ?? ""),
      raw: line,
      fields: flatten(body),
    };
    added.push({ hit, ms: Date.parse(hit.timestamp), text: `${line}\n${Object.values(hit.fields).join("\n")}`.toLowerCase() });
  }
  events = [...events, ...added].sort((a, b) => b.ms - a.ms || compareIds(b.hit.id, a.hit.id));
  for (const tail of tails) tail(added);
  return added.length;
}

const compareIds = (a, b) => Number(a.split("-")[1]) - Number(b.split("-")[1]);

function flatten(body, prefix = "", out = {}) {
  for (const [name, value] of Object.entries(body)) {
    const path = prefix + name;
    if (prefix === "" && ["timestamp", "message", "source"].includes(name)) continue;
    if (value === null) continue;
    if (Array.isArray(value)) out[path] = value;
    else if (typeof value === "object") flatten(value, `${path}.`, out);
    else out[path] = value;
  }
  return out;
}

function time(text, fallback) {
  if (!text) return fallback;
  const relative = /^-(\d+)([smhd])$/.exec(text);
  if (relative) return Date.now() - Number(relative[1]) * { s: 1e3, m: 6e4, h: 36e5, d: 864e5 }[relative[2]];
  return text === "now" ? Date.now() : /^\d+$/.test(text) ? Number(text) : Date.parse(text);
}

function scope(params) {
  const { test, stages } = parse(params.get("q") ?? "");
  const env = params.get("env") || "default";
  const patterns = (params.get("index") ?? "").split(",").filter(Boolean).map((p) => new RegExp(`^${p.replaceAll(".", "\\.").replaceAll("*", ".*")}$`));
  const start = time(params.get("start"), -Infinity);
  const end = time(params.get("end"), Infinity);
  const found = events.filter((e) => e.hit.env === env && e.ms >= start && e.ms < end && (patterns.length === 0 || patterns.some((p) => p.test(e.hit.index))) && test(e));
  return { found, stages, start, end, test };
}

function search(params) {
  const began = performance.now();
  const { found, stages, start, end } = scope(params);
  let hits = found;
  let table;
  for (const stage of stages) {
    if (stage.kind === "head") hits = hits.slice(0, stage.count);
    else table = reduce(stage, hits, start, end);
  }
  const sort = params.get("sort");
  if (sort) hits = sorted(hits, sort);
  const limit = Number(params.get("limit") ?? 100);
  const from = Number(params.get("cursor") ?? 0);
  const page = table ? [] : hits.slice(from, from + limit);
  return {
    total: params.get("count") === "none" ? null : table ? table.rows.length : hits.length,
    hits: page.map((e) => e.hit),
    ...(table ? { table } : {}),
    took_ms: Math.round(performance.now() - began),
    partial: false,
    warnings: [],
    stats: { blocks: 12, blocks_pruned: 5, bytes_read: hits.length * 90, rows_scanned: events.length },
    cursor: !table && from + limit < hits.length && limit > 0 ? String(from + limit) : null,
  };
}

function sorted(hits, sort) {
  const descending = sort.startsWith("-");
  const name = sort.replace(/^-/, "");
  const key = (e) => valuesOf(e.hit, name)[0];
  const compare = (a, b) => (a === undefined ? 1 : b === undefined ? -1 : Number.isNaN(Number(a)) || Number.isNaN(Number(b)) ? (a < b ? -1 : a > b ? 1 : 0) : Number(a) - Number(b));
  return [...hits].sort((a, b) => (descending ? -1 : 1) * compare(key(a), key(b)));
}

function reduce(stage, hits, start, end) {
  const by = stage.by ?? stage.field;
  const counts = new Map();
  if (stage.kind === "timechart") {
    const span = stage.spanMs ?? Math.max(1000, Math.ceil((end - start) / 60 / 60_000) * 60_000);
    const names = by ? [...new Set(hits.flatMap((e) => valuesOf(e.hit, by)))].sort() : ["count"];
    const rows = [];
    for (let t = Math.floor(start / span) * span; t < end && rows.length < 2000; t += span) rows.push([new Date(t).toISOString(), ...names.map(() => 0)]);
    const first = Date.parse(rows[0]?.[0]);
    for (const e of hits) {
      const row = rows[Math.floor((e.ms - first) / span)];
      for (const name of by ? valuesOf(e.hit, by) : ["count"]) if (row) row[names.indexOf(name) + 1]++;
    }
    return { columns: ["time", ...names], rows };
  }
  for (const e of hits) for (const v of by ? (valuesOf(e.hit, by).length ? valuesOf(e.hit, by) : [null]) : [""]) counts.set(v, (counts.get(v) ?? 0) + 1);
  const rows = [...counts].sort((a, b) => b[1] - a[1]);
  if (stage.kind === "top") return { columns: [by, "count", "percent"], rows: rows.filter(([v]) => v !== null).slice(0, stage.count).map(([v, n]) => [v, n, (n / hits.length) * 100]) };
  return by ? { columns: [by, "count"], rows } : { columns: ["count"], rows: [[hits.length]] };
}

function histogram(params) {
  const { found, start, end } = scope(params);
  const m = /^(\d+)(ms|s|m|h|d)$/.exec(params.get("interval") ?? "1m");
  const interval = Number(m[1]) * { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 }[m[2]];
  const by = params.get("by");
  const buckets = new Map();
  const last = Number.isFinite(end) ? end : (found[0]?.ms ?? 0) + 1;
  const first = Number.isFinite(start) ? start : (found.at(-1)?.ms ?? last);
  for (let t = Math.floor(first / interval) * interval; t < last && buckets.size < 5000; t += interval) buckets.set(t, { t: new Date(t).toISOString(), count: 0, ...(by ? { by: {} } : {}) });
  for (const e of found) {
    const bucket = buckets.get(Math.floor(e.ms / interval) * interval);
    if (!bucket) continue;
    bucket.count++;
    for (const v of by ? valuesOf(e.hit, by) : []) bucket.by[v] = (bucket.by[v] ?? 0) + 1;
  }
  return { buckets: [...buckets.values()], interval_ms: interval, total: found.length, took_ms: 1, partial: false, warnings: [] };
}

function terms(found, name, size) {
  const counts = new Map();
  for (const e of found) for (const v of valuesOf(e.hit, name)) counts.set(v, (counts.get(v) ?? 0) + 1);
  return { all: counts.size, top: [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, size) };
}

function discover(params) {
  const { found } = scope(params);
  const names = new Set(found.flatMap((e) => Object.keys(e.hit.fields)));
  const fields = [...names].map((name) => {
    const have = found.filter((e) => name in e.hit.fields).length;
    const { all, top } = terms(found, name, Number(params.get("top") ?? 10));
    const numeric = top.every(([v]) => !Number.isNaN(Number(v)));
    return { name, kind: top.every(([v]) => v === "true" || v === "false") ? "bool" : numeric ? "number" : "text", coverage: have / found.length, distinct: all, distinct_capped: false, top, groupable: all < have / 2, interesting: all > 1 && all < 30 };
  });
  fields.sort((a, b) => b.coverage - a.coverage || (a.name < b.name ? -1 : 1));
  return { fields, total: found.length, sampled: false, took_ms: 1, partial: false, warnings: [] };
}

function indexes(params) {
  const env = params.get("env") || "default";
  const groups = new Map();
  for (const e of events) {
    if (e.hit.env === env) groups.has(e.hit.index) ? groups.get(e.hit.index).push(e) : groups.set(e.hit.index, [e]);
  }
  return { indexes: [...groups].map(([index, list]) => ({ env, index, partitions: 1, events: list.length, raw_bytes: list.length * 300, bytes: list.length * 60, first: list.at(-1).hit.timestamp, last: list[0].hit.timestamp })), env, warnings: [] };
}

function context(params) {
  const at = events.findIndex((e) => e.hit.id === params.get("id"));
  if (at < 0) throw Object.assign(new Error("no event"), { status: 404, body: { code: "no_such_event", message: `there is no event ${params.get("id")}` } });
  const same = events.filter((e) => e.hit.index === events[at].hit.index);
  const here = same.indexOf(events[at]);
  const before = same.slice(here + 1, here + 1 + Number(params.get("before") ?? 10)).reverse();
  const after = same.slice(Math.max(0, here - Number(params.get("after") ?? 10)), here).reverse();
  return { before: before.map((e) => e.hit), event: events[at].hit, after: after.map((e) => e.hit), warnings: [] };
}

function complete(params) {
  const points = [...(params.get("q") ?? "")].slice(0, Number(params.get("cursor") ?? 1e6));
  const text = points.join("");
  const value = /([\w.@-]+):("?)([^\s"]*)$/.exec(text);
  const stage = /\|\s*(\w*)$/.exec(text);
  const word = /[\w.@-]*$/.exec(text)[0];
  const item = (text, kind, detail) => ({ text, kind, detail });
  if (value) {
    const items = terms(events, value[1], 50).top.filter(([v]) => v.toLowerCase().startsWith(value[3].toLowerCase()));
    return { from: points.length - [...value[3]].length - value[2].length, to: points.length, items: items.map(([v, n]) => item(/^[\w.-]+$/.test(v) ? v : JSON.stringify(v), "value", `${n} events`)) };
  }
  if (stage) {
    const known = [["stats", "count, sum(f) … [by f]"], ["timechart", "[span=5m] count [by f]"], ["top", "[N] field"], ["head", "[N]"]];
    return { from: points.length - stage[1].length, to: points.length, items: known.filter(([s]) => s.startsWith(stage[1])).map(([s, d]) => item(s, "stage", d)) };
  }
  const names = [...new Set(events.slice(0, 2000).flatMap((e) => Object.keys(e.hit.fields)))];
  return { from: points.length - word.length, to: points.length, items: names.filter((n) => n.startsWith(word)).map((n) => item(`${n}:`, "field", "")) };
}

const READS = {
  "/api/search": search,
  "/api/histogram": histogram,
  "/api/aggregate": (p) => {
    const { found } = scope(p);
    return { fields: Object.fromEntries(p.get("fields").split(",").map((f) => [f, terms(found, f, Number(p.get("size") ?? 10)).top])) };
  },
  "/api/discover_fields": discover,
  "/api/context": context,
  "/api/cluster": (p) => CLUSTERS[p.get("mock") ?? CLUSTER](),
  "/api/admin/crypto": (p) => CRYPTO[p.get("mock") ?? CRYPTOGRAPHY](),
  "/api/complete": complete,
  "/api/indexes": indexes,
  "/api/envs": () => ({ envs: [{ name: "default", indexes: 1, events: events.length }], warnings: [] }),
};

const sse = (name, data) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

function streamSearch(params, request, response) {
  const { hits, ...rest } = search(params);
  response.writeHead(200, { "content-type": "text/event-stream" });
  // A query that holds `slow` never ends by itself: for looking at progress and cancel.
  const slow = (params.get("q") ?? "").includes("slow_search");
  const progress = (done) => sse("progress", { groups: 40, groups_done: done, bytes_read: done * 400_000, rows_scanned: done * 65_536, matched: Math.round((hits.length * done) / 40) });
  if (!slow) return response.end(sse("hits", hits) + sse("done", { ...rest, hits: [] }));
  let done = 0;
  response.write(progress(0));
  const timer = setInterval(() => response.write(progress((done = Math.min(39, done + 1)))), 100);
  request.on("close", () => clearInterval(timer));
}

function streamTail(params, request, response) {
  const { test } = parse(params.get("q") ?? "");
  const index = params.get("index") || null;
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(": alive\n\n");
  const tail = (added) => {
    for (const e of added) if ((index === null || e.hit.index === index) && test(e)) response.write(sse("hit", e.hit));
  };
  tails.add(tail);
  request.on("close", () => tails.delete(tail));
}

function exportAll(params, response) {
  const { found } = scope(params);
  const csv = params.get("format") === "csv";
  const fields = (params.get("fields") ?? "timestamp,message").split(",");
  const cell = (v) => (/[",\n]/.test(v) ? `"${v.replaceAll('"', '""')}"` : v);
  response.writeHead(200, { "content-type": csv ? "text/csv" : "application/x-ndjson" });
  if (csv) response.write(`${fields.join(",")}\n`);
  for (const e of found) response.write(csv ? `${fields.map((f) => cell(valuesOf(e.hit, f).join(";"))).join(",")}\n` : `${JSON.stringify(e.hit)}\n`);
  response.end();
}

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

function asset(path, response) {
  const file = join(DIST, normalize(path === "/" ? "/index.html" : path));
  try {
    const body = readFileSync(file);
    response.writeHead(200, { "content-type": TYPES[extname(file)] ?? "application/octet-stream", "content-security-policy": POLICY, "x-content-type-options": "nosniff" });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://mock");
  const params = url.searchParams;
  const json = (status, body) => {
    response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
    response.end(JSON.stringify(body));
  };
  try {
    if (request.method === "POST" && url.pathname === "/api/ingest") {
      const ingested = ingest((await bodyOf(request)).split("\n"), params.get("env") || "default", params.get("index") || "default");
      return json(200, { ingested, errors: 0, partitions: [], write_errors: [], throttled: false, durability: "local" });
    }
    if (url.pathname === "/api/search/stream") return streamSearch(params, request, response);
    if (url.pathname === "/api/tail") return streamTail(params, request, response);
    if (url.pathname === "/api/export") return exportAll(params, response);
    const read = READS[url.pathname];
    if (read) return json(200, read(params));
    if (url.pathname.startsWith("/api/")) return json(404, { error: { code: "not_found", message: "there is nothing here" } });
    asset(url.pathname, response);
  } catch (error) {
    json(error.status ?? (error instanceof BadQuery ? 400 : 500), { error: { request_id: "mock", code: "internal", message: error.message, ...error.body } });
  }
});

const count = Number(option("events", "0"));
if (count > 0) {
  const lines = [...madeUp(count, Date.now(), 3_600_000)].map((e) => JSON.stringify(e));
  ingest(lines.filter((_, i) => i % 5 !== 0), "default", "shop");
  ingest(lines.filter((_, i) => i % 5 === 0), "default", "edge");
}
server.listen(PORT, "127.0.0.1", () => console.log(`mock server on http://127.0.0.1:${PORT}`));
