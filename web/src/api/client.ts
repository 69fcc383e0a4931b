/** Calls to the server. Every failure becomes an `ApiError`, so that the page has one way to show it. */
import { parseJson } from "./json";
import { readEvents, type ServerEvent } from "./sse";
import type {
  AggregateAnswer,
  ClusterAnswer,
  CompleteAnswer,
  ContextAnswer,
  CryptoAnswer,
  DiscoverAnswer,
  ErrorBody,
  HistogramAnswer,
  EnvsAnswer,
  IndexesAnswer,
  SearchAnswer,
} from "./types";

export class ApiError extends Error {
  readonly body: ErrorBody;
  /** HTTP status, or 0 when no answer came. */
  readonly status: number;

  constructor(body: ErrorBody, status: number) {
    super(body.message);
    this.name = "ApiError";
    this.body = body;
    this.status = status;
  }
}

export type Params = Record<string, string | number | undefined>;

/** The address of an API call; parameters that are undefined or empty are left out. */
export function apiUrl(path: string, params: Params): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}

async function open(path: string, params: Params, signal: AbortSignal | undefined, accept: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(apiUrl(path, params), { headers: { accept }, signal: signal ?? null, cache: "no-store" });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError({ code: "unreachable", message: "The server does not answer.", hint: "Is it still running? The page tries again when you search." }, 0);
  }
  noteServerClock(response.headers.get("date"));
  if (!response.ok) throw await readError(response);
  return response;
}

async function readError(response: Response): Promise<ApiError> {
  const fallback = { code: `http_${response.status}`, message: `The server answered ${response.status} ${response.statusText}`.trim() + "." };
  try {
    const body = parseJson(await response.text()) as { error?: ErrorBody };
    return new ApiError(body.error ?? fallback, response.status);
  } catch {
    return new ApiError(fallback, response.status);
  }
}

async function getJson<T>(path: string, params: Params, signal?: AbortSignal): Promise<T> {
  const response = await open(path, params, signal, "application/json");
  return parseJson(await response.text()) as T;
}

/** Opens a stream of server-sent events. Aborting `signal` closes the connection, which ends the server's work. */
export async function* stream(path: string, params: Params, signal: AbortSignal, onOpen?: () => void): AsyncGenerator<ServerEvent> {
  const response = await open(path, params, signal, "text/event-stream");
  onOpen?.();
  if (response.body) yield* readEvents(response.body);
}

export const api = {
  search: (params: Params, signal?: AbortSignal) => getJson<SearchAnswer>("/api/search", params, signal),
  histogram: (params: Params, signal?: AbortSignal) => getJson<HistogramAnswer>("/api/histogram", params, signal),
  aggregate: (params: Params, signal?: AbortSignal) => getJson<AggregateAnswer>("/api/aggregate", params, signal),
  discover: (params: Params, signal?: AbortSignal) => getJson<DiscoverAnswer>("/api/discover_fields", params, signal),
  context: (params: Params, signal?: AbortSignal) => getJson<ContextAnswer>("/api/context", params, signal),
  indexes: (env: string, signal?: AbortSignal) => getJson<IndexesAnswer>("/api/indexes", { env }, signal),
  cluster: (signal?: AbortSignal) => getJson<ClusterAnswer>("/api/cluster", {}, signal),
  crypto: (signal?: AbortSignal) => getJson<CryptoAnswer>("/api/admin/crypto", {}, signal),
  envs: (signal?: AbortSignal) => getJson<EnvsAnswer>("/api/envs", {}, signal),
  complete: (params: Params, signal?: AbortSignal) => getJson<CompleteAnswer>("/api/complete", params, signal),
};

/** A difference below this is the resolution of the Date header and the way here, not a wrong clock. */
const CLOCK_SKEW_MIN_MS = 2_500;
let clockSkewMs = 0;

function noteServerClock(date: string | null): void {
  const serverMs = date === null ? NaN : Date.parse(date);
  if (Number.isNaN(serverMs)) return;
  const skew = serverMs - Date.now();
  clockSkewMs = Math.abs(skew) < CLOCK_SKEW_MIN_MS ? 0 : skew;
}

/** Now by the server's clock: "the last 15 minutes" means the server's, even if this machine's clock is wrong. */
export function serverNow(): number {
  return Date.now() + clockSkewMs;
}
