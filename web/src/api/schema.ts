/** Made from the OpenAPI document by `npm run types`; not written by hand. */
import type { ExactNumber } from "./json";

export interface AdminAnswer {
  done: boolean;
  message: string;
}

export interface AggregateAnswer {
  fields: Record<string, ([string, number])[]>;
  /** Whether something is missing; the warnings say what. */
  partial: boolean;
  took_ms: number;
  total: number;
  /** What the reader must know to read the answer rightly. */
  warnings: string[];
}

export type Cell = string | number | ExactNumber | boolean | null | Cell[];

export interface Chart {
  kind: "time" | "bar";
  series: ({
    name: string;
    points: Cell[][];
  })[];
  x: string;
}

export type ClusterAnswer = {
  enabled: false;
  /** What the reader must know to read the answer rightly. */
  warnings: string[];
} | ClusterStatus;

export interface ClusterStatus {
  /** The life of another process that runs under this node's name. */
  conflict: string | null;
  enabled: true;
  /** Work that one node does for all. */
  leaders: ({
    /** The node that does it, as far as it is known. */
    node: string | null;
    /** Whether this node does it. */
    own: boolean;
    work: string;
  })[];
  /** The life of its process. */
  life: string;
  /** This node's name. */
  node: string;
  /** All nodes that ever were, by name. */
  nodes: ({
    /** Where it listens. */
    address: string;
    /** Whether it was heard of lately. */
    alive: boolean;
    /** Partitions in which it was behind then. */
    behind: number;
    /** Since it had read all that the store has, as it last said. */
    lag_seconds: number | null;
    /** The life of its process. */
    life: string;
    node: string;
    /** Whether it is the one that answers. */
    own: boolean;
    /** Partitions that it could not share. */
    problems: number;
    version: string;
    /** Their bytes. */
    waiting_bytes: number;
    /** Events that waited there to be shared. */
    waiting_events: number;
  })[];
  /** Partitions that are not shared, and why. */
  problems: ({
    kind: "rolled_back" | "gap" | "missing" | "incomplete" | "unreadable" | "damaged_tail" | "cloned";
    /** What happened and what can be done. */
    message: string;
    /** `index/day`. */
    partition: string;
  })[];
  store: {
    /** Partitions whose newest generation is not adopted yet. */
    behind: number;
    /** Bytes that came from it. */
    bytes_down: number;
    /** Bytes sent to it. */
    bytes_up: number;
    /** What went wrong in the last round of reading it. */
    error: string | null;
    /** Which history it has. */
    incarnation: string;
    /** Path or bucket. */
    name: string;
    /** Since everything that was wanted of it was read. */
    read_seconds_ago: number | null;
    /** Since this process began. */
    requests: number;
  };
  /** What waits here to be shared. */
  waiting: {
    blocks: number;
    bytes: number;
    events: number;
    partitions: number;
  };
  /** What the reader must know to read the answer rightly. */
  warnings: string[];
}

export interface CompleteAnswer {
  /** Character of the query from which on an item replaces it. */
  from: number;
  items: ({
    detail: string;
    kind: "field" | "value" | "stage" | "function" | "keyword";
    text: string;
  })[];
  /** Character up to which it does. */
  to: number;
  /** What the reader must know to read the answer rightly. */
  warnings: string[];
}

export interface ContextAnswer {
  after: Hit[];
  before: Hit[];
  event: Hit;
  /** What the reader must know to read the answer rightly. */
  warnings: string[];
}

export interface CryptoAnswer {
  approved_mode: boolean;
  build: "default" | "fips";
  certificate: string;
  /** What may be claimed of this build, and no more. */
  claim: string;
  /** TLS since the start of the process. */
  connections: {
    incoming: {
      negotiated: ({
        connections: number;
        /** Of the key exchange; `resumed` where there was none. */
        group: string;
        suite: string;
        version: string;
      })[];
      /** Handshakes that failed or did not end. */
      refused: number;
    };
    outgoing: {
      negotiated: ({
        connections: number;
        /** Of the key exchange; `resumed` where there was none. */
        group: string;
        suite: string;
        version: string;
      })[];
      /** Handshakes that failed or did not end. */
      refused: number;
    };
  };
  /** Whether every part stands on the validated module. */
  every_part_on_module: boolean;
  keys: ({
    age_s: number | null;
    algorithm: string;
    /** Of a certificate: its SHA-256. */
    id: string;
    /** Of a certificate: clients refuse it after. */
    not_after: string | null;
    /** Of a certificate: clients refuse it before. */
    not_before: string | null;
    purpose: string;
    /** How often it has sealed in this life of the process. */
    seals: number | null;
    /** How often it may. */
    seals_max: number | null;
    /** When it was made, or since when it is in use. */
    since: string | null;
    since_is: "made" | "in_use";
  })[];
  listeners: ({
    addr: string;
    /** Whether it takes TLS alone; else it is in the clear. */
    tls: boolean;
  })[];
  /** What the module says of itself. */
  module: string;
  /** What it must say; null in a default build. */
  module_expected: string | null;
  /** Hashes that protect nothing and do not come from the module. */
  other_hashes: ({
    algorithm: string;
    purpose: string;
    reason: string;
  })[];
  /** What is not as it must be. */
  problems: string[];
  /** The profile that pins the module; `none` in a default build. */
  profile: string;
  self_tests: "passed" | "failed" | "none";
  service_indicator: string;
  /** What the module is used for. */
  services: ({
    algorithm: string;
    bound: string;
    purpose: string;
  })[];
  tls: {
    extended_master_secret: string;
    fips: boolean;
    groups: string[];
    rsa_bits_min: number;
    suites: string[];
    versions: string[];
  };
  version: string;
  /** What the reader must know to read the answer rightly. */
  warnings: string[];
}

export interface DiscoverAnswer {
  fields: FieldSummary[];
  /** Whether something is missing; the warnings say what. */
  partial: boolean;
  /** false: every match was looked at; else how many were. */
  sampled: false | number;
  took_ms: number;
  total: number;
  /** What the reader must know to read the answer rightly. */
  warnings: string[];
}

export interface EnvsAnswer {
  envs: ({
    events: number;
    indexes: number;
    name: string;
  })[];
  /** What the reader must know to read the answer rightly. */
  warnings: string[];
}

export interface Error {
  error: {
    /** Stable: programs may rely on it. */
    code: string;
    /** Column of the first wrong character of the query, from 1, in characters. */
    column?: number;
    /** The query that the fix would give. */
    fix?: string;
    /** A likely fix, in words. */
    hint?: string;
    /** How many characters are wrong. */
    length?: number;
    /** For people: what is wrong and what to do. */
    message: string;
    /** The parameter that is wrong. */
    parameter?: string;
    /** Under which the server's log says more. */
    request_id: string;
  };
  /** The line, from 1, from which on nothing of this request was stored. */
  first_unread_line?: number;
  /** Events of this request that are durable all the same; null: not known. */
  ingested?: number | null;
}

export interface Explain {
  /** Time of the workers to reduce and show them. */
  answer_us: number;
  /** Blocks of partitions whose day, index or environment cannot match. */
  blocks_out_of_partition: number;
  /** Blocks of other partitions, out of the asked range. */
  blocks_out_of_time: number;
  /** Bytes of these ranges. */
  bytes_read: number;
  /** Time of the workers to decode parts. */
  decode_us: number;
  /** Row groups of the other blocks, and batches that are in no block yet. */
  groups: number;
  /** Of these: an earlier query with the same expression and stage has counted or reduced them. */
  groups_known: number;
  /** Of these: an earlier query with the same expression found that nothing matches. */
  groups_known_empty: number;
  /** Of these: out of the asked range. */
  groups_out_of_time: number;
  /** Of these: looked at without reading a value; nothing matches. */
  groups_ruled_out: number;
  /** Of these: values were read. */
  groups_scanned: number;
  /** Time of the workers to find the rows that match. */
  match_us: number;
  /** Columns and other parts of groups that lay decoded in memory. */
  parts_cached: number;
  /** Parts that were read and decoded. */
  parts_read: number;
  /** Time to find the groups, in microseconds. */
  plan_us: number;
  /** Ranges of files that were read for them. */
  ranges_read: number;
  /** Time that reads took, all together, though they go on beside each other. */
  read_us: number;
  /** Rows that matched, as far as they were looked for. */
  rows_matched: number;
}

export interface FieldSummary {
  coverage: number;
  distinct: number;
  distinct_capped: boolean;
  groupable: boolean;
  interesting: boolean;
  kind: "number" | "bool" | "ip" | "time" | "text";
  name: string;
  top: ([string, number])[];
}

export type FieldValue = string | number | ExactNumber | boolean | null | FieldValue[];

export interface Health {
  status: string;
}

export interface HistogramAnswer {
  buckets: ({
    by?: Record<string, number>;
    count: number;
    t: string;
  })[];
  interval_ms: number;
  /** Whether something is missing; the warnings say what. */
  partial: boolean;
  took_ms: number;
  total: number;
  /** What the reader must know to read the answer rightly. */
  warnings: string[];
}

export interface Hit {
  env: string;
  fields: Record<string, FieldValue>;
  /** Stable: `<16 hex digits>-<number>`. */
  id: string;
  index: string;
  message: string;
  /** The bytes as sent; what is not UTF-8 is shown as U+FFFD. */
  raw: string;
  /** The bytes as sent, where they are not UTF-8. */
  raw_base64?: string;
  source: string | null;
  timestamp: string;
}

export interface IndexesAnswer {
  env: string;
  indexes: ({
    /** Bytes of its blocks. */
    bytes: number;
    env: string;
    events: number;
    /** Time of the earliest event. */
    first: string | null;
    index: string;
    /** Time of the latest event. */
    last: string | null;
    /** Days with events. */
    partitions: number;
    /** Bytes of its blocks' events as sent. */
    raw_bytes: number;
  })[];
  /** What the reader must know to read the answer rightly. */
  warnings: string[];
}

export interface IngestAnswer {
  /** Blank lines, which are no events. */
  blank: number;
  durability: "local" | "shared";
  /** The first 20 of them, by line number from 1. */
  error_details: ({
    line: number;
    reason: string;
  })[];
  /** Lines that were refused. */
  errors: number;
  /** Events that are durable and searchable now. */
  ingested: number;
  /** `index/day` of each partition that got events. */
  partitions: string[];
  throttled: boolean;
  /** What the reader must know to read the answer rightly. */
  warnings: string[];
  write_errors: string[];
}

export type OpenApi = Record<string, unknown>;

export interface Progress {
  bytes_read: number;
  groups: number;
  groups_done: number;
  matched: number;
  rows_scanned: number;
}

export interface SearchAnswer {
  chart?: Chart;
  /** Where to go on; null: there is nothing more. */
  cursor: string | null;
  hits: Hit[];
  /** Whether something is missing; the warnings say what. */
  partial: boolean;
  stats: SearchStats;
  table?: Table;
  took_ms: number;
  /** Exact; null if it was not asked for. */
  total: number | null;
  /** What the reader must know to read the answer rightly. */
  warnings: string[];
}

export interface SearchStats {
  blocks: number;
  blocks_pruned: number;
  bytes_read: number;
  /** With `explain=true`. */
  explain?: Explain;
  rows_scanned: number;
}

export interface StatsAnswer {
  blocks: number;
  earliest: string | null;
  events: number;
  /** Events that are in the log and in no block yet. */
  head_events: number;
  latest: string | null;
  /** Events that damage has taken; `helios verify` names them. */
  lost: number;
  partitions: number;
  raw_bytes: number;
  stored_bytes: number;
  uptime_ms: number;
  version: string;
  /** What the reader must know to read the answer rightly. */
  warnings: string[];
}

export interface Table {
  columns: string[];
  rows: Cell[][];
}
