//! Every route, in one table: the router, the reading of parameters and the OpenAPI document are all
//! made from it.

use axum::extract::{Extension, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Router, http};

use super::params::{Param, ParamKind};
use super::{
    ApiError, App, admin, cluster, complete, crypto, export, ingest, page, reads, search_stream, status, tail,
};

/// One route.
#[derive(Debug)]
pub struct Operation {
    /// Its name in the document and in the metrics.
    pub id: &'static str,
    /// GET or POST.
    pub method: Method,
    /// Its path.
    pub path: &'static str,
    /// What it does, one line.
    pub summary: &'static str,
    /// Its parameters.
    pub params: &'static [Param],
    /// Its body, if it takes one.
    pub body: Option<BodyDoc>,
    /// Its answers beside errors.
    pub answers: &'static [Answer],
    handler: fn() -> MethodRouter<App>,
}

/// The methods that routes use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Method {
    /// Reads; may be repeated.
    Get,
    /// Changes something.
    Post,
}

/// What a route takes as its body.
#[derive(Clone, Copy, Debug)]
pub struct BodyDoc {
    /// Its media type; others are taken too, since shippers send all kinds.
    pub content_type: &'static str,
    /// What must be in it.
    pub doc: &'static str,
}

/// A successful answer.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Its media type.
    pub content_type: &'static str,
    /// Its named shape, where it is JSON.
    pub schema: Option<&'static str>,
    /// What it is.
    pub doc: &'static str,
}

impl Method {
    /// As the OpenAPI document writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
        }
    }
}

/// The router over all routes.
pub(super) fn router(app: App) -> Router {
    let routes = OPERATIONS.iter().fold(Router::new(), |router, operation| {
        router.route(operation.path, (operation.handler)().layer(Extension(operation)))
    });
    routes.method_not_allowed_fallback(wrong_method).fallback(page_or_nothing).with_state(app)
}

/// The route of a path, whatever the method.
pub(super) fn known(path: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.path == path)
}

/// Whether a path belongs to the API.
pub(super) fn is_known(path: &str) -> bool {
    known(path).is_some()
}

async fn wrong_method(request: Request) -> Response {
    let method = known(request.uri().path()).map_or("GET", |operation| match operation.method {
        Method::Get => "GET",
        Method::Post => "POST",
    });
    let message = format!("this path takes {method}");
    let mut response = ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message).into_response();
    response.headers_mut().insert(http::header::ALLOW, http::HeaderValue::from_static(method));
    response
}

async fn page_or_nothing(request: Request) -> Result<Response, ApiError> {
    if request.method() != http::Method::GET && request.method() != http::Method::HEAD {
        return Err(page::nothing_here());
    }
    page::serve(request.uri().path(), request.headers())
}

const fn text(name: &'static str, doc: &'static str) -> Param {
    Param { name, kind: ParamKind::Text, required: false, doc }
}

const fn whole(name: &'static str, least: u64, most: u64, default: u64, doc: &'static str) -> Param {
    Param { name, kind: ParamKind::Whole { least, most, default, instead: "" }, required: false, doc }
}

const Q: Param = text("q", "The query; nothing or `*`: every event.");
const ENV: Param = text("env", "The environment; `default` without it.");
const INDEX: Param = Param {
    name: "index",
    kind: ParamKind::List,
    required: false,
    doc: "Indexes, with `*` and `?`; all without it. ANDed with the query.",
};
const START: Param = Param {
    name: "start",
    kind: ParamKind::Time,
    required: false,
    doc: "Earliest event time, inclusive: RFC 3339, seconds, milliseconds or nanoseconds since 1970, or relative (`-15m`, `-1d@d`).",
};
const END: Param = Param {
    name: "end",
    kind: ParamKind::Time,
    required: false,
    doc: "Latest event time, exclusive, written like `start`.",
};
const TZ: Param = text("tz", "IANA time zone in which days begin; UTC without it.");
const SORT: Param = text("sort", "Order of the hits by fields: `-latency_ms,service`; newest first without it.");
const LIMIT: Param = Param {
    name: "limit",
    kind: ParamKind::Whole {
        least: 0,
        most: 10_000,
        default: 100,
        instead: "use /api/export (`helios export`) for more: it streams and has no cap",
    },
    required: false,
    doc: "Most hits; 0 gives the count alone.",
};
const CURSOR: Param = text("cursor", "Where an earlier answer of the same query ended.");
const COUNT: Param = Param {
    name: "count",
    kind: ParamKind::Choice(&["exact", "none"]),
    required: false,
    doc: "`none` lets the search stop as soon as it has its hits; `total` is then null.",
};
const EXPLAIN: Param = Param {
    name: "explain",
    kind: ParamKind::Choice(&["false", "true"]),
    required: false,
    doc: "`true`: `stats.explain` says what was left out and why, what was read, and where the time went.",
};
const INGEST_INDEX: Param = text(
    "index",
    "The index, or a template: `app-{{service}}`; `default` without it. Wins over the header `X-Helios-Index`.",
);
const INGEST_ENV: Param = text("env", "The environment; `default` without it. Wins over the header `X-Helios-Env`.");
const INGEST_SOURCE: Param = text("source", "The source of events that name none themselves.");

const ACK: Param = Param {
    name: "ack",
    kind: ParamKind::Choice(&["local", "shared"]),
    required: false,
    doc: "What to wait for: `local`, this node's log; or `shared`, the store that the nodes share, for at most a minute. \
        `durability` in the answer says what was reached.",
};

const SEARCH_PARAMS: &[Param] = &[Q, ENV, INDEX, START, END, LIMIT, CURSOR, SORT, COUNT, TZ, EXPLAIN];

const fn ok(schema: &'static str, doc: &'static str) -> Answer {
    Answer { status: 200, content_type: "application/json", schema: Some(schema), doc }
}

const fn stream(content_type: &'static str, doc: &'static str) -> Answer {
    Answer { status: 200, content_type, schema: None, doc }
}

/// Every route.
pub static OPERATIONS: &[Operation] = &[
    Operation {
        id: "ingest",
        method: Method::Post,
        path: "/api/ingest",
        summary: "Stores NDJSON, one object a line. An event that is acknowledged is durable and searchable.",
        params: &[INGEST_INDEX, INGEST_ENV, INGEST_SOURCE, ACK],
        body: Some(BodyDoc {
            content_type: "application/x-ndjson",
            doc: "One JSON object a line; gzip, deflate, zstd or snappy by Content-Encoding.",
        }),
        answers: &[ok("IngestAnswer", "What was stored, and which lines were refused.")],
        handler: || post(ingest::ndjson),
    },
    Operation {
        id: "ingest_raw",
        method: Method::Post,
        path: "/api/ingest/raw",
        summary: "Stores text, one event a line.",
        params: &[
            INGEST_INDEX,
            INGEST_ENV,
            INGEST_SOURCE,
            ACK,
            Param {
                name: "format",
                kind: ParamKind::Choice(&["text"]),
                required: false,
                doc: "`text`: a line is a message.",
            },
        ],
        body: Some(BodyDoc {
            content_type: "text/plain",
            doc: "One event a line; gzip, deflate, zstd or snappy by Content-Encoding.",
        }),
        answers: &[ok("IngestAnswer", "What was stored, and which lines were refused.")],
        handler: || post(ingest::raw),
    },
    Operation {
        id: "search",
        method: Method::Get,
        path: "/api/search",
        summary: "Searches: hits, a count, or a table.",
        params: SEARCH_PARAMS,
        body: None,
        answers: &[ok("SearchAnswer", "The answer; newest first.")],
        handler: || get(reads::search),
    },
    Operation {
        id: "search_stream",
        method: Method::Get,
        path: "/api/search/stream",
        summary: "The same as server-sent events: `progress` (Progress) now and then, `hits` (a list of Hit) once, `done` (SearchAnswer without the hits) last, or `error` (Error). Hanging up ends the work.",
        params: SEARCH_PARAMS,
        body: None,
        answers: &[stream("text/event-stream", "The events.")],
        handler: || get(search_stream::search_stream),
    },
    Operation {
        id: "histogram",
        method: Method::Get,
        path: "/api/histogram",
        summary: "Counts matches over time.",
        params: &[
            Q,
            ENV,
            INDEX,
            START,
            END,
            text("interval", "Width of a bucket (`5m`); sized to the range without it."),
            text("by", "Splits each bucket by this field's values."),
            TZ,
        ],
        body: None,
        answers: &[ok("HistogramAnswer", "The buckets, empty ones included.")],
        handler: || get(reads::histogram),
    },
    Operation {
        id: "aggregate",
        method: Method::Get,
        path: "/api/aggregate",
        summary: "The most frequent values of fields.",
        params: &[
            Q,
            ENV,
            INDEX,
            START,
            END,
            Param { name: "fields", kind: ParamKind::List, required: true, doc: "The fields." },
            whole("size", 1, 1_000, 10, "How many values of each."),
        ],
        body: None,
        answers: &[ok("AggregateAnswer", "Values and their counts, most frequent first.")],
        handler: || get(reads::aggregate),
    },
    Operation {
        id: "discover_fields",
        method: Method::Get,
        path: "/api/discover_fields",
        summary: "Which fields there are, and what is in them.",
        params: &[
            Q,
            ENV,
            INDEX,
            START,
            END,
            whole("sample", 0, 1_000_000_000, 0, "Looks at about this many of the newest matches only; 0: at all."),
            whole("top", 0, 100, 10, "How many top values of each."),
        ],
        body: None,
        answers: &[ok("DiscoverAnswer", "The fields, most frequent first.")],
        handler: || get(reads::discover_fields),
    },
    Operation {
        id: "tail",
        method: Method::Get,
        path: "/api/tail",
        summary: "Matches as they arrive, as server-sent events: `hit` (Hit), and `dropped` ({\"count\": how many, \"at_least\": whether it may be more}) when the reader cannot keep up.",
        params: &[Q, ENV, INDEX],
        body: None,
        answers: &[stream("text/event-stream", "The events; a comment every 15 s shows that the connection is alive.")],
        handler: || get(tail::tail),
    },
    Operation {
        id: "export",
        method: Method::Get,
        path: "/api/export",
        summary: "All matches, streamed, without a cap. A connection that ends without the last chunk means that something is missing.",
        params: &[
            Q,
            ENV,
            INDEX,
            START,
            END,
            SORT,
            TZ,
            Param {
                name: "format",
                kind: ParamKind::Choice(&["ndjson", "csv"]),
                required: false,
                doc: "How it is written.",
            },
            Param {
                name: "fields",
                kind: ParamKind::List,
                required: false,
                doc: "Columns of the CSV, in order: members of a hit or field paths.",
            },
        ],
        body: None,
        answers: &[stream(
            "application/x-ndjson",
            "One Hit a line, or one row of the table as an object; CSV with a head line if asked for.",
        )],
        handler: || get(export::export),
    },
    Operation {
        id: "context",
        method: Method::Get,
        path: "/api/context",
        summary: "The events around one, of the same index and source.",
        params: &[
            Param { name: "id", kind: ParamKind::Text, required: true, doc: "The event in the middle." },
            ENV,
            whole("before", 0, 1_000, 10, "How many older ones."),
            whole("after", 0, 1_000, 10, "How many newer ones."),
        ],
        body: None,
        answers: &[ok("ContextAnswer", "The event and its neighbours, oldest first.")],
        handler: || get(reads::context),
    },
    Operation {
        id: "indexes",
        method: Method::Get,
        path: "/api/indexes",
        summary: "The indexes of an environment.",
        params: &[ENV],
        body: None,
        answers: &[ok("IndexesAnswer", "The indexes by name.")],
        handler: || get(status::indexes),
    },
    Operation {
        id: "envs",
        method: Method::Get,
        path: "/api/envs",
        summary: "The environments.",
        params: &[],
        body: None,
        answers: &[ok("EnvsAnswer", "The environments by name.")],
        handler: || get(status::envs),
    },
    Operation {
        id: "stats",
        method: Method::Get,
        path: "/api/stats",
        summary: "What the server holds.",
        params: &[],
        body: None,
        answers: &[ok("StatsAnswer", "Sums over all that may be read.")],
        handler: || get(status::stats),
    },
    Operation {
        id: "cluster",
        method: Method::Get,
        path: "/api/cluster",
        summary: "The nodes that share a store with this one, what waits to be shared, and what is wrong.",
        params: &[],
        body: None,
        answers: &[ok("ClusterAnswer", "The cluster as this node sees it; `enabled` is false without a shared store.")],
        handler: || get(cluster::cluster),
    },
    Operation {
        id: "complete",
        method: Method::Get,
        path: "/api/complete",
        summary: "What may stand at the cursor of a query: fields, values, stages, functions.",
        params: &[
            Q,
            ENV,
            INDEX,
            START,
            END,
            whole("cursor", 0, 1_000_000, 1_000_000, "Characters before the cursor; the end of the query without it."),
        ],
        body: None,
        answers: &[ok("CompleteAnswer", "The items, likeliest first.")],
        handler: || get(complete::complete),
    },
    Operation {
        id: "gc",
        method: Method::Post,
        path: "/api/admin/gc",
        summary: "Drops the partitions that are past their retention now.",
        params: &[],
        body: None,
        answers: &[ok("AdminAnswer", "What was done.")],
        handler: || post(admin::gc),
    },
    Operation {
        id: "merge",
        method: Method::Post,
        path: "/api/admin/merge",
        summary: "Nothing: the server merges blocks by itself.",
        params: &[],
        body: None,
        answers: &[ok("AdminAnswer", "Says so.")],
        handler: || post(admin::merge),
    },
    Operation {
        id: "commit",
        method: Method::Post,
        path: "/api/admin/commit",
        summary: "Nothing: what is acknowledged is durable and searchable.",
        params: &[],
        body: None,
        answers: &[ok("AdminAnswer", "Says so.")],
        handler: || post(admin::commit),
    },
    Operation {
        id: "crypto",
        method: Method::Get,
        path: "/api/admin/crypto",
        summary: "The cryptographic module, what stands on it, the keys in use and what TLS has negotiated.",
        params: &[],
        body: None,
        answers: &[ok("CryptoAnswer", "The module as it was at the start; counts since then.")],
        handler: || get(crypto::crypto),
    },
    Operation {
        id: "healthz",
        method: Method::Get,
        path: "/healthz",
        summary: "Whether the process is alive.",
        params: &[],
        body: None,
        answers: &[ok("Health", "It is.")],
        handler: || get(status::healthz),
    },
    Operation {
        id: "readyz",
        method: Method::Get,
        path: "/readyz",
        summary: "Whether it takes events and answers queries; 503 if not.",
        params: &[],
        body: None,
        answers: &[ok("Health", "It does.")],
        handler: || get(status::readyz),
    },
    Operation {
        id: "metrics",
        method: Method::Get,
        path: "/metrics",
        summary: "Counters for Prometheus.",
        params: &[],
        body: None,
        answers: &[stream("text/plain; version=0.0.4", "Prometheus' text format.")],
        handler: || get(status::metrics),
    },
    Operation {
        id: "openapi",
        method: Method::Get,
        path: "/api/openapi.json",
        summary: "This document.",
        params: &[],
        body: None,
        answers: &[ok("OpenApi", "OpenAPI 3.1.")],
        handler: || get(status::openapi),
    },
];
