//! The shapes of answers, as JSON schemas for the OpenAPI document.

use serde_json::{Map, Value, json};

mod crypto;

/// Every named shape. A test checks real answers against them.
pub(super) fn components() -> Map<String, Value> {
    let named: [(&str, Value); 26] = [
        ("Error", error()),
        ("Hit", hit()),
        ("FieldValue", field_value()),
        ("Cell", cell()),
        ("Table", table()),
        ("Chart", chart()),
        ("Explain", explain()),
        ("SearchStats", search_stats()),
        ("SearchAnswer", search_answer()),
        ("Progress", progress()),
        ("HistogramAnswer", histogram_answer()),
        ("AggregateAnswer", aggregate_answer()),
        ("FieldSummary", field_summary()),
        ("DiscoverAnswer", discover_answer()),
        ("ContextAnswer", context_answer()),
        ("IngestAnswer", ingest_answer()),
        ("IndexesAnswer", indexes_answer()),
        ("EnvsAnswer", envs_answer()),
        ("StatsAnswer", stats_answer()),
        ("ClusterAnswer", cluster_answer()),
        ("ClusterStatus", cluster_status()),
        ("CompleteAnswer", complete_answer()),
        ("Health", health()),
        ("AdminAnswer", admin_answer()),
        ("CryptoAnswer", crypto::answer()),
        ("OpenApi", json!({"type": "object"})),
    ];
    named.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn error() -> Value {
    let inner = Shape::new()
        .with("code", described(text(), "Stable: programs may rely on it."))
        .with("message", described(text(), "For people: what is wrong and what to do."))
        .with("request_id", described(text(), "Under which the server's log says more."))
        .maybe("parameter", described(text(), "The parameter that is wrong."))
        .maybe("column", described(whole(), "Column of the first wrong character of the query, from 1, in characters."))
        .maybe("length", described(whole(), "How many characters are wrong."))
        .maybe("hint", described(text(), "A likely fix, in words."))
        .maybe("fix", described(text(), "The query that the fix would give."))
        .build();
    Shape::new()
        .with("error", inner)
        .maybe(
            "ingested",
            described(nullable(whole()), "Events of this request that are durable all the same; null: not known."),
        )
        .maybe(
            "first_unread_line",
            described(whole(), "The line, from 1, from which on nothing of this request was stored."),
        )
        .build()
}

fn hit() -> Value {
    Shape::new()
        .with("id", described(text(), "Stable: `<16 hex digits>-<number>`."))
        .with("timestamp", time())
        .with("env", text())
        .with("index", text())
        .with("source", nullable(text()))
        .with("message", text())
        .with("raw", described(text(), "The bytes as sent; what is not UTF-8 is shown as U+FFFD."))
        .maybe("raw_base64", described(text(), "The bytes as sent, where they are not UTF-8."))
        .with("fields", json!({"type": "object", "additionalProperties": named("FieldValue")}))
        .build()
}

fn field_value() -> Value {
    let scalar = json!({"type": ["string", "number", "boolean", "null"]});
    json!({"oneOf": [scalar, list(named("FieldValue"))]})
}

fn cell() -> Value {
    let scalar = json!({"type": ["string", "number", "boolean", "null"]});
    json!({"oneOf": [scalar, list(named("Cell"))]})
}

fn table() -> Value {
    Shape::new().with("columns", list(text())).with("rows", list(list(named("Cell")))).build()
}

fn chart() -> Value {
    let series = Shape::new().with("name", text()).with("points", list(list(named("Cell")))).build();
    Shape::new()
        .with("kind", json!({"type": "string", "enum": ["time", "bar"]}))
        .with("x", text())
        .with("series", list(series))
        .build()
}

fn search_stats() -> Value {
    Shape::new()
        .with("blocks", whole())
        .with("blocks_pruned", whole())
        .with("bytes_read", whole())
        .with("rows_scanned", whole())
        .maybe("explain", described(named("Explain"), "With `explain=true`."))
        .build()
}

/// Each member of [`crate::query::Explain`], with what it says.
const EXPLAIN: [(&str, &str); 18] = [
    ("blocks_out_of_partition", "Blocks of partitions whose day, index or environment cannot match."),
    ("blocks_out_of_time", "Blocks of other partitions, out of the asked range."),
    ("groups", "Row groups of the other blocks, and batches that are in no block yet."),
    ("groups_out_of_time", "Of these: out of the asked range."),
    ("groups_known_empty", "Of these: an earlier query with the same expression found that nothing matches."),
    ("groups_known", "Of these: an earlier query with the same expression and stage has counted or reduced them."),
    ("groups_ruled_out", "Of these: looked at without reading a value; nothing matches."),
    ("groups_scanned", "Of these: values were read."),
    ("rows_matched", "Rows that matched, as far as they were looked for."),
    ("parts_cached", "Columns and other parts of groups that lay decoded in memory."),
    ("parts_read", "Parts that were read and decoded."),
    ("ranges_read", "Ranges of files that were read for them."),
    ("bytes_read", "Bytes of these ranges."),
    ("plan_us", "Time to find the groups, in microseconds."),
    ("read_us", "Time that reads took, all together, though they go on beside each other."),
    ("decode_us", "Time of the workers to decode parts."),
    ("match_us", "Time of the workers to find the rows that match."),
    ("answer_us", "Time of the workers to reduce and show them."),
];

fn explain() -> Value {
    EXPLAIN.iter().fold(Shape::new(), |shape, (name, what)| shape.with(name, described(whole(), what))).build()
}

fn search_answer() -> Value {
    Shape::new()
        .with("total", described(nullable(whole()), "Exact; null if it was not asked for."))
        .with("hits", list(named("Hit")))
        .maybe("table", named("Table"))
        .maybe("chart", named("Chart"))
        .with("took_ms", whole())
        .with("partial", partial())
        .with("warnings", warnings())
        .with("stats", named("SearchStats"))
        .with("cursor", described(nullable(text()), "Where to go on; null: there is nothing more."))
        .build()
}

fn progress() -> Value {
    Shape::new()
        .with("groups", whole())
        .with("groups_done", whole())
        .with("bytes_read", whole())
        .with("rows_scanned", whole())
        .with("matched", whole())
        .build()
}

fn histogram_answer() -> Value {
    let bucket = Shape::new()
        .with("t", time())
        .with("count", whole())
        .maybe("by", json!({"type": "object", "additionalProperties": whole()}))
        .build();
    counted(Shape::new().with("buckets", list(bucket)).with("interval_ms", whole()))
}

fn aggregate_answer() -> Value {
    counted(Shape::new().with("fields", json!({"type": "object", "additionalProperties": list(term())})))
}

fn field_summary() -> Value {
    Shape::new()
        .with("name", text())
        .with("kind", json!({"type": "string", "enum": ["number", "bool", "ip", "time", "text"]}))
        .with("coverage", json!({"type": "number"}))
        .with("distinct", whole())
        .with("distinct_capped", json!({"type": "boolean"}))
        .with("top", list(term()))
        .with("groupable", json!({"type": "boolean"}))
        .with("interesting", json!({"type": "boolean"}))
        .build()
}

fn discover_answer() -> Value {
    let sampled = json!({"oneOf": [{"type": "boolean", "enum": [false]}, {"type": "integer"}]});
    let sampled = described(sampled, "false: every match was looked at; else how many were.");
    counted(Shape::new().with("fields", list(named("FieldSummary"))).with("sampled", sampled))
}

fn context_answer() -> Value {
    let hits = || list(named("Hit"));
    Shape::new()
        .with("before", hits())
        .with("event", named("Hit"))
        .with("after", hits())
        .with("warnings", warnings())
        .build()
}

fn ingest_answer() -> Value {
    let line_error = Shape::new().with("line", whole()).with("reason", text()).build();
    Shape::new()
        .with("ingested", described(whole(), "Events that are durable and searchable now."))
        .with("errors", described(whole(), "Lines that were refused."))
        .with("error_details", described(list(line_error), "The first 20 of them, by line number from 1."))
        .with("blank", described(whole(), "Blank lines, which are no events."))
        .with("partitions", described(list(text()), "`index/day` of each partition that got events."))
        .with("write_errors", list(text()))
        .with("throttled", json!({"type": "boolean"}))
        .with("durability", json!({"type": "string", "enum": ["local", "shared"]}))
        .with("warnings", warnings())
        .build()
}

fn indexes_answer() -> Value {
    let index = Shape::new()
        .with("env", text())
        .with("index", text())
        .with("partitions", described(whole(), "Days with events."))
        .with("events", whole())
        .with("bytes", described(whole(), "Bytes of its blocks."))
        .with("raw_bytes", described(whole(), "Bytes of its blocks' events as sent."))
        .with("first", described(nullable(time()), "Time of the earliest event."))
        .with("last", described(nullable(time()), "Time of the latest event."))
        .build();
    Shape::new().with("env", text()).with("indexes", list(index)).with("warnings", warnings()).build()
}

fn envs_answer() -> Value {
    let env = Shape::new().with("name", text()).with("indexes", whole()).with("events", whole()).build();
    Shape::new().with("envs", list(env)).with("warnings", warnings()).build()
}

fn stats_answer() -> Value {
    Shape::new()
        .with("version", text())
        .with("uptime_ms", whole())
        .with("events", whole())
        .with("head_events", described(whole(), "Events that are in the log and in no block yet."))
        .with("blocks", whole())
        .with("partitions", whole())
        .with("raw_bytes", whole())
        .with("stored_bytes", whole())
        .with("earliest", nullable(time()))
        .with("latest", nullable(time()))
        .with("lost", described(whole(), "Events that damage has taken; `helios verify` names them."))
        .with("warnings", warnings())
        .build()
}

fn cluster_answer() -> Value {
    let alone = Shape::new().with("enabled", always(false)).with("warnings", warnings()).build();
    json!({"oneOf": [alone, named("ClusterStatus")]})
}

fn cluster_status() -> Value {
    let leader = Shape::new()
        .with("work", text())
        .with("own", described(flag(), "Whether this node does it."))
        .with("node", described(nullable(text()), "The node that does it, as far as it is known."))
        .build();
    let waiting = Shape::new()
        .with("partitions", whole())
        .with("blocks", whole())
        .with("bytes", whole())
        .with("events", whole())
        .build();
    let problem = Shape::new()
        .with("partition", described(text(), "`index/day`."))
        .with(
            "kind",
            json!({"type": "string", "enum": ["rolled_back", "gap", "missing", "incomplete", "unreadable", "damaged_tail", "cloned"]}),
        )
        .with("message", described(text(), "What happened and what can be done."))
        .build();
    Shape::new()
        .with("enabled", always(true))
        .with("node", described(text(), "This node's name."))
        .with("life", described(text(), "The life of its process."))
        .with("conflict", described(nullable(text()), "The life of another process that runs under this node's name."))
        .with("store", cluster_store())
        .with("nodes", described(list(cluster_node()), "All nodes that ever were, by name."))
        .with("leaders", described(list(leader), "Work that one node does for all."))
        .with("waiting", described(waiting, "What waits here to be shared."))
        .with("problems", described(list(problem), "Partitions that are not shared, and why."))
        .with("warnings", warnings())
        .build()
}

fn cluster_store() -> Value {
    Shape::new()
        .with("name", described(text(), "Path or bucket."))
        .with("incarnation", described(text(), "Which history it has."))
        .with("error", described(nullable(text()), "What went wrong in the last round of reading it."))
        .with("read_seconds_ago", described(nullable(whole()), "Since everything that was wanted of it was read."))
        .with("behind", described(whole(), "Partitions whose newest generation is not adopted yet."))
        .with("requests", described(whole(), "Since this process began."))
        .with("bytes_up", described(whole(), "Bytes sent to it."))
        .with("bytes_down", described(whole(), "Bytes that came from it."))
        .build()
}

fn cluster_node() -> Value {
    Shape::new()
        .with("node", text())
        .with("life", described(text(), "The life of its process."))
        .with("own", described(flag(), "Whether it is the one that answers."))
        .with("alive", described(flag(), "Whether it was heard of lately."))
        .with("address", described(text(), "Where it listens."))
        .with("version", text())
        .with("lag_seconds", described(nullable(whole()), "Since it had read all that the store has, as it last said."))
        .with("behind", described(whole(), "Partitions in which it was behind then."))
        .with("waiting_events", described(whole(), "Events that waited there to be shared."))
        .with("waiting_bytes", described(whole(), "Their bytes."))
        .with("problems", described(whole(), "Partitions that it could not share."))
        .build()
}

fn complete_answer() -> Value {
    let item = Shape::new()
        .with("text", text())
        .with("kind", json!({"type": "string", "enum": ["field", "value", "stage", "function", "keyword"]}))
        .with("detail", text())
        .build();
    Shape::new()
        .with("from", described(whole(), "Character of the query from which on an item replaces it."))
        .with("to", described(whole(), "Character up to which it does."))
        .with("items", list(item))
        .with("warnings", warnings())
        .build()
}

fn health() -> Value {
    Shape::new().with("status", text()).build()
}

fn admin_answer() -> Value {
    Shape::new().with("done", json!({"type": "boolean"})).with("message", text()).build()
}

/// The members that every counting answer has.
fn counted(shape: Shape) -> Value {
    shape
        .with("total", whole())
        .with("took_ms", whole())
        .with("partial", partial())
        .with("warnings", warnings())
        .build()
}

/// An object without other members than these.
struct Shape {
    properties: Map<String, Value>,
    required: Vec<Value>,
}

impl Shape {
    fn new() -> Self {
        Self { properties: Map::new(), required: Vec::new() }
    }

    fn with(mut self, name: &str, schema: Value) -> Self {
        self.required.push(json!(name));
        self.maybe(name, schema)
    }

    fn maybe(mut self, name: &str, schema: Value) -> Self {
        self.properties.insert(name.to_owned(), schema);
        self
    }

    fn build(self) -> Value {
        json!({
            "type": "object",
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false,
        })
    }
}

/// A reference to a named shape.
pub(super) fn named(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = json!(description);
    schema
}

fn text() -> Value {
    json!({"type": "string"})
}

fn whole() -> Value {
    json!({"type": "integer"})
}

fn flag() -> Value {
    json!({"type": "boolean"})
}

/// A flag that tells one shape from another.
fn always(value: bool) -> Value {
    json!({"type": "boolean", "enum": [value]})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// A value and how often it occurs.
fn term() -> Value {
    json!({"type": "array", "prefixItems": [text(), whole()], "minItems": 2, "maxItems": 2})
}

fn partial() -> Value {
    described(json!({"type": "boolean"}), "Whether something is missing; the warnings say what.")
}

fn warnings() -> Value {
    described(list(text()), "What the reader must know to read the answer rightly.")
}

fn nullable(schema: Value) -> Value {
    match schema.get("type").and_then(Value::as_str) {
        Some(kind) => {
            let mut schema = schema.clone();
            schema["type"] = json!([kind, "null"]);
            schema
        }
        None => json!({"oneOf": [schema, {"type": "null"}]}),
    }
}
