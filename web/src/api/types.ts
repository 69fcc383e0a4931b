/** The shapes of the HTTP API under the names that this page uses for them. */
import type { ExactNumber } from "./json";
import type { ClusterStatus, CompleteAnswer, CryptoAnswer, DiscoverAnswer, HistogramAnswer, IndexesAnswer, SearchAnswer } from "./schema";
import type { Error as ErrorAnswer } from "./schema";

export type {
  AggregateAnswer,
  Cell,
  ClusterAnswer,
  ClusterStatus,
  CompleteAnswer,
  ContextAnswer,
  CryptoAnswer,
  DiscoverAnswer,
  EnvsAnswer,
  FieldValue,
  HistogramAnswer,
  Hit,
  IndexesAnswer,
  Progress,
  SearchAnswer,
  Table,
} from "./schema";

/** One value that is no list. */
export type Scalar = string | number | boolean | ExactNumber;
/** The end of a streamed search: the answer without its hits. */
export type SearchDone = Omit<SearchAnswer, "hits">;
export type ClusterNode = ClusterStatus["nodes"][number];
export type KeyInUse = CryptoAnswer["keys"][number];
export type Negotiated = CryptoAnswer["connections"]["incoming"]["negotiated"][number];
export type Bucket = HistogramAnswer["buckets"][number];
export type DiscoveredField = DiscoverAnswer["fields"][number];
export type CompletionItem = CompleteAnswer["items"][number];
export type IndexInfo = IndexesAnswer["indexes"][number];
export type ErrorBody = Omit<ErrorAnswer["error"], "request_id"> & { request_id?: string };
