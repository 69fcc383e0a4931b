//! The OpenAPI document, made from the table of routes.

use serde_json::{Map, Value, json};

use super::params::{Param, ParamKind};
use super::routes::{Answer, OPERATIONS, Operation};
use super::schema;

/// The document. `docs/openapi.json` is a copy that a test compares.
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.word()] = describe(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "HeliosLogs",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "A log search server: what is acknowledged is durable and searchable, answers are exact or say where they are not.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schema::components()},
    })
}

fn describe(operation: &Operation) -> Value {
    let mut answers: Map<String, Value> = Map::new();
    for answer in operation.answers {
        answers.insert(answer.status.to_string(), describe_answer(answer));
    }
    let failed =
        json!({"description": "An error.", "content": {"application/json": {"schema": schema::named("Error")}}});
    answers.insert("default".to_owned(), failed);
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": operation.params.iter().map(parameter).collect::<Vec<_>>(),
        "responses": answers,
    });
    if let Some(body) = operation.body {
        described["requestBody"] = json!({
            "required": true,
            "description": body.doc,
            "content": {body.content_type: {"schema": {"type": "string", "format": "binary"}}},
        });
    }
    described
}

fn describe_answer(answer: &Answer) -> Value {
    let schema = match answer.schema {
        Some(name) => schema::named(name),
        None => json!({"type": "string"}),
    };
    json!({"description": answer.doc, "content": {answer.content_type: {"schema": schema}}})
}

fn parameter(param: &Param) -> Value {
    let mut described = json!({
        "name": param.name,
        "in": "query",
        "required": param.required,
        "description": param.doc,
        "schema": kind(&param.kind),
    });
    if matches!(param.kind, ParamKind::List) {
        described["style"] = json!("form");
        described["explode"] = json!(false);
    }
    described
}

fn kind(kind: &ParamKind) -> Value {
    match kind {
        ParamKind::Text | ParamKind::Time => json!({"type": "string"}),
        ParamKind::Whole { least, most, default, .. } => {
            json!({"type": "integer", "minimum": least, "maximum": most, "default": default})
        }
        ParamKind::Choice(words) => json!({"type": "string", "enum": words, "default": words[0]}),
        ParamKind::List => json!({"type": "array", "items": {"type": "string"}}),
    }
}
