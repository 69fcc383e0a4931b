//! What an operator may ask for by hand.

use axum::body::Body;
use axum::http::Response;
use serde_json::json;

use super::ApiError;
use super::call::{Call, json as answer};

pub(super) async fn gc(call: Call) -> Result<Response<Body>, ApiError> {
    let retired = call.app.engine.sweep_now().await;
    answer(&json!({"done": true, "message": format!("{retired} partitions were past their retention and are gone")}))
}

pub(super) async fn merge(_: Call) -> Result<Response<Body>, ApiError> {
    answer(&json!({"done": false, "message": "nothing to do by hand: the server merges blocks by itself"}))
}

pub(super) async fn commit(_: Call) -> Result<Response<Body>, ApiError> {
    answer(&json!({"done": false, "message": "nothing to do by hand: what is acknowledged is durable and searchable"}))
}
