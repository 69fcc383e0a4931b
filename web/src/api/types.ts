/** The shapes of the HTTP API that this page reads. */
import type { ExactNumber } from "./json";

export type Scalar = string | number | boolean | ExactNumber;
export type FieldValue = Scalar | FieldValue[];

export interface Hit {
  id: string;
  timestamp: string;
  env: string;
  index: string;
  /** Null where the event names none. */
  source: string | null;
  message: string;
  raw: string;
  raw_base64?: string;
  fields: Record<string, FieldValue>;
}

export type Cell = Scalar | null | Scalar[];
export interface Table {
  columns: string[];
  rows: Cell[][];
}

export interface Stats {
  blocks: number;
  blocks_pruned: number;
  bytes_read: number;
}

export interface SearchDone {
  total: number | null;
  table?: Table | null;
  took_ms: number;
  partial: boolean;
  warnings: string[];
  stats: Stats;
  cursor?: string | null;
}
export interface SearchAnswer extends SearchDone {
  hits: Hit[];
}

export interface Progress {
  /** Row groups, the pieces that a search looks at one by one. */
  groups: number;
  groups_done: number;
  bytes_read: number;
  rows_scanned: number;
  matched: number;
}

export interface Bucket {
  t: string | number;
  count: number;
  by?: Record<string, number>;
}
export interface HistogramAnswer {
  buckets: Bucket[];
  interval_ms: number;
  partial?: boolean;
  warnings?: string[];
}

export interface DiscoveredField {
  name: string;
  kind: string;
  coverage: number;
  distinct: number;
  distinct_capped: boolean;
  top: [Scalar | null, number][];
  groupable: boolean;
  interesting: boolean;
}
export interface DiscoverAnswer {
  fields: DiscoveredField[];
  /** Events that were looked at when the figures come from a sample, else false or absent. */
  sampled?: number | boolean;
}

export interface AggregateAnswer {
  fields: Record<string, [Scalar | null, number][]>;
}

export interface ContextAnswer {
  before: Hit[];
  event: Hit;
  after: Hit[];
}

export interface IndexInfo {
  env: string;
  index: string;
  events: number;
  first: string | null;
  last: string | null;
  bytes: number;
}

export interface CompletionItem {
  text: string;
  kind: "field" | "value" | "stage" | "function" | "keyword";
  detail?: string;
}
export interface CompleteAnswer {
  from: number;
  to: number;
  items: CompletionItem[];
}

export interface ErrorBody {
  code: string;
  message: string;
  request_id?: string;
  /** Where the query is wrong, in characters from the start, counted from 1. */
  column?: number;
  length?: number;
  hint?: string;
  /** Which parameter is wrong; `column` speaks of the query only if this is `q`. */
  parameter?: string;
  /** The whole query, corrected. */
  fix?: string;
}
