//! The OpenAPI document against the server: paths, parameters and the shapes of real answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::server::TestServer;

/// A request to each path that must give an answer worth checking.
fn examples() -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let with =
        |pairs: &[(&'static str, &str)]| pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    vec![
        ("/api/search", with(&[("q", "*")])),
        ("/api/search", with(&[("q", "* | stats count, avg(n), values(level) by level")])),
        ("/api/search", with(&[("q", "* | timechart span=1h count by level")])),
        ("/api/search", with(&[("q", "*"), ("count", "none"), ("limit", "1")])),
        ("/api/search", with(&[("q", "*"), ("index", "none")])),
        ("/api/histogram", with(&[("q", "*"), ("by", "level"), ("interval", "1h")])),
        ("/api/histogram", with(&[])),
        ("/api/aggregate", with(&[("fields", "level,n")])),
        ("/api/discover_fields", with(&[])),
        ("/api/discover_fields", with(&[("sample", "1")])),
        ("/api/indexes", with(&[])),
        ("/api/envs", with(&[])),
        ("/api/stats", with(&[])),
        ("/api/cluster", with(&[])),
        ("/api/complete", with(&[("q", "lev")])),
        ("/api/complete", with(&[("q", "level:")])),
        ("/api/complete", with(&[("q", "* | st")])),
        ("/api/admin/crypto", with(&[])),
        ("/healthz", with(&[])),
        ("/readyz", with(&[])),
        ("/api/openapi.json", with(&[])),
    ]
}

const EVENTS: &str = concat!(
    "{\"ts\":\"2026-06-14T10:00:00Z\",\"level\":\"error\",\"n\":1.50,\"tags\":[\"a\",2,true],\"msg\":\"caf\\u00e9\"}\n",
    "{\"ts\":\"2026-06-14T11:30:00Z\",\"level\":\"info\",\"n\":2,\"source\":\"x\",\"deep\":{\"er\":null,\"est\":\"v\"}}\n",
    "{\"ts\":\"2026-06-14T12:00:00Z\",\"odd\":\"\\ud800\",\"n\":-7}\n",
);

#[test]
fn the_document_in_the_repository_is_the_servers() {
    let ours = include_str!("../../docs/openapi.json");
    let now = format!("{}\n", serde_json::to_string_pretty(&helios::api::openapi::document()).unwrap());
    assert!(ours == now, "docs/openapi.json is out of date: save what /api/openapi.json answers, pretty-printed");
}

#[tokio::test]
async fn answers_have_the_shapes_that_the_document_says() {
    let server = TestServer::start().await;
    server.ingest("app", [EVENTS.as_bytes(), b"{\"raw\":\"\xff\"}\n"].concat()).await;
    let document = server.get("/api/openapi.json", &[]).await;
    let mut seen = BTreeSet::new();
    let id = server.get("/api/search", &[]).await["hits"][0]["id"].as_str().unwrap().to_owned();
    let context = ("/api/context", vec![("id", id), ("before", "5".to_owned())]);
    for (path, params) in examples().into_iter().chain([context]) {
        let params: Vec<(&str, &str)> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = server.get(path, &params).await;
        let schema = &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        check(&document, schema, &answer, &format!("{path} {params:?}"));
        seen.insert(path);
    }
    let bad = server.client().get_json("/api/search", &[("q", "level:(")]).await.unwrap_err();
    let helios::cli::client::ClientError::Refused { body, .. } = bad else { panic!("{bad:?}") };
    check(&document, &json!({"$ref": "#/components/schemas/Error"}), &body, "an error");
    let ingested = server.ingest("app", "{}\nno\n").await;
    check(&document, &json!({"$ref": "#/components/schemas/IngestAnswer"}), &ingested, "/api/ingest");
    for (path, item) in document["paths"].as_object().unwrap() {
        let json = &item["get"]["responses"]["200"]["content"]["application/json"];
        assert!(json.is_null() || seen.contains(path.as_str()), "{path} has no example here");
    }
}

#[tokio::test]
async fn each_declared_parameter_is_read_and_no_other() {
    let server = TestServer::start().await;
    let document = helios::api::openapi::document();
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(operation) = item.get("get") else { continue };
        if operation["responses"]["200"]["content"].get("application/json").is_none() || path == "/api/context" {
            continue;
        }
        let parameters = operation["parameters"].as_array().unwrap();
        let required = |parameter: &&Value| parameter["required"] == true;
        let mut params: Vec<(&str, &str)> = parameters
            .iter()
            .filter(required)
            .map(|parameter| (parameter["name"].as_str().unwrap(), "level"))
            .collect();
        params.push(("no_such_parameter", "1"));
        let answer = server.get(path, &params).await;
        let warnings = answer["warnings"].to_string();
        let says = warnings.contains("`no_such_parameter` is unknown");
        let has_warnings = answer.get("warnings").is_some();
        assert!(says || !has_warnings, "{path} left an unknown parameter aside without a word: {answer}");
        for parameter in parameters {
            if parameter["schema"]["type"] == "integer" {
                let name = parameter["name"].as_str().unwrap();
                let too_much = (parameter["schema"]["maximum"].as_u64().unwrap() + 1).to_string();
                let (status, error) = server.refusal(path, &[(name, too_much.as_str())]).await;
                assert_eq!((status, error["parameter"].as_str()), (400, Some(name)), "{path}");
            }
        }
    }
}

/// The part of JSON Schema that the document uses.
pub(crate) fn check(document: &Value, schema: &Value, value: &Value, at: &str) {
    if let Err(wrong) = fits(document, schema, value, at) {
        panic!("{wrong}");
    }
}

fn fits(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if let Some(reference) = schema.get("$ref") {
        let name = reference.as_str().unwrap().strip_prefix("#/components/schemas/").unwrap();
        let named = document["components"]["schemas"].get(name).ok_or_else(|| format!("no shape {name}"))?;
        return fits(document, named, value, at);
    }
    if let Some(options) = schema.get("oneOf") {
        let fitting = options.as_array().unwrap().iter().filter(|option| fits(document, option, value, at).is_ok());
        return if fitting.count() == 1 { Ok(()) } else { Err(format!("{at}: {value} fits not exactly one option")) };
    }
    fits_type(schema, value, at)?;
    if let Some(words) = schema.get("enum")
        && !words.as_array().unwrap().contains(value)
    {
        return Err(format!("{at}: {value} is none of {words}"));
    }
    if schema["format"] == "date-time" && !value.is_null() {
        value.as_str().unwrap().parse::<jiff::Timestamp>().map_err(|error| format!("{at}: {error}"))?;
    }
    if let Some(items) = value.as_array() {
        let fixed = schema.get("prefixItems").and_then(Value::as_array);
        if fixed.is_some_and(|fixed| fixed.len() != items.len()) {
            return Err(format!("{at}: {value} has another length"));
        }
        for (index, item) in items.iter().enumerate() {
            let schema = fixed.map_or(&schema["items"], |fixed| &fixed[index]);
            fits(document, schema, item, &format!("{at}[{index}]"))?;
        }
    }
    let Some(members) = value.as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap()) {
            return Err(format!("{at}: {name} is missing"));
        }
    }
    for (name, member) in members {
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(schema), _) => fits(document, schema, member, &format!("{at}.{name}"))?,
            (None, Value::Bool(false)) => return Err(format!("{at}: {name} is not documented")),
            (None, Value::Object(_)) => {
                fits(document, &schema["additionalProperties"], member, &format!("{at}.{name}"))?
            }
            (None, _) => {}
        }
    }
    Ok(())
}

fn fits_type(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let is = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("the document uses a type {other}"),
    };
    let fits = match &schema["type"] {
        Value::String(kind) => is(kind),
        Value::Array(kinds) => kinds.iter().any(|kind| is(kind.as_str().unwrap())),
        _ => return Err(format!("{at}: the shape has no type: {schema}")),
    };
    if fits { Ok(()) } else { Err(format!("{at}: {value} is no {}", schema["type"])) }
}
