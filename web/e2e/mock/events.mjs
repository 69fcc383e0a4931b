/** Made-up events with a story: at two thirds of the range a payment gateway starts to time out. Same seed, same events. */

export function* madeUp(count, endMs, spanMs, seed = 1) {
  const random = generator(seed);
  const pick = (list) => list[Math.floor(random() * list.length)];
  const routes = ["/api/cart", "/api/checkout", "/api/search", "/api/login", "/api/items/{id}"];
  for (let i = 0; i < count; i++) {
    const share = (i + random()) / count;
    const at = new Date(endMs - spanMs + share * spanMs);
    const trouble = share > 0.62 && share < 0.78;
    const service = pick(["checkout", "cart", "search", "auth", "gateway"]);
    const trace = Math.floor(random() * 2 ** 48).toString(16).padStart(12, "0");
    const base = { timestamp: at.toISOString(), service, host: `node-${1 + Math.floor(random() * 6)}`, trace_id: trace };
    if (trouble && service === "checkout" && random() < 0.7) {
      yield { ...base, level: "error", message: `payment gateway timed out after 3000 ms, attempt ${1 + Math.floor(random() * 3)} of 3`, http: { route: "/api/checkout", status: 502, latency_ms: 3000 + Math.floor(random() * 200) }, peer: "10.20.0.17:443", error: { kind: "timeout", retryable: true } };
    } else if (random() < 0.06) {
      yield { ...base, level: "warn", message: `slow query took ${300 + Math.floor(random() * 900)} ms`, db: { statement: "SELECT * FROM items WHERE tag = ANY($1)", rows: Math.floor(random() * 5000) } };
    } else if (random() < 0.1) {
      yield { ...base, level: "debug", message: `cache miss for key items:${Math.floor(random() * 99999)}`, cache: { region: pick(["eu", "us"]), ttl_s: 300 } };
    } else {
      const route = pick(routes);
      const status = random() < 0.02 ? 404 : 200;
      yield { ...base, level: "info", message: `${pick(["GET", "POST"])} ${route.replace("{id}", String(Math.floor(random() * 9999)))} ${status}`, http: { route, status, latency_ms: Math.floor(5 + random() * 120) }, user: { id: 90071992547409910 + Math.floor(random() * 100), plan: pick(["free", "pro", "team"]) } };
    }
  }
}

/** A small generator of numbers in [0, 1), the same for the same seed. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
