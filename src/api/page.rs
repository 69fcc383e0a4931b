//! The embedded browser page.
//!
//! **Promise.** The page runs under a policy that lets it load nothing from elsewhere, run no inline
//! script and be framed by nobody: a log line that is markup stays text even if the page slips.

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::ApiError;

/// One file of the built page.
pub(crate) struct Asset {
    /// Where it is served: `/index.html`, `/assets/…`.
    pub(crate) path: &'static str,
    /// Its media type.
    pub(crate) content_type: &'static str,
    /// The bytes.
    pub(crate) body: &'static [u8],
    /// The same bytes compressed, where that makes them smaller.
    pub(crate) brotli: Option<&'static [u8]>,
    /// For browsers that take no brotli, as over plain HTTP from another machine.
    pub(crate) gzip: Option<&'static [u8]>,
    /// Quoted digest of the bytes; a weak one, as it is the same for each of their forms.
    pub(crate) etag: &'static str,
}

#[cfg(feature = "page")]
include!(concat!(env!("OUT_DIR"), "/page_assets.rs"));

#[cfg(not(feature = "page"))]
static ASSETS: &[Asset] = &[];

/// Answers a GET that no route of the API took.
///
/// # Errors
/// 404 below `/api/`, for unknown assets, and when this binary was built without the page.
pub(crate) fn serve(path: &str, headers: &HeaderMap) -> Result<Response<Body>, ApiError> {
    let asset = find(path).ok_or_else(|| not_found(path))?;
    let mut response = if is_known(headers, asset.etag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let (body, encoding) = form(asset, headers);
        let mut response = Response::new(Body::from(body));
        if let Some(encoding) = encoding {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(asset.content_type));
    headers.insert(ETAG, HeaderValue::from_static(asset.etag));
    // Names under /assets/ change with their content; the page itself must be asked for each time.
    let keep = if asset.path.starts_with("/assets/") { KEEP_FOREVER } else { "no-cache" };
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(keep));
    Ok(response)
}

/// Adds the headers that every answer carries, whatever it is.
pub(crate) fn harden(headers: &mut HeaderMap) {
    for (name, value) in HARDENING {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// The page keeps its state in the address bar, so every path without a dot is the page.
fn find(path: &str) -> Option<&'static Asset> {
    let exact = ASSETS.iter().find(|asset| asset.path == path);
    let of_the_page = !path.starts_with("/api/") && !path.contains('.');
    exact.or_else(|| ASSETS.iter().find(|asset| of_the_page && asset.path == "/index.html"))
}

fn not_found(path: &str) -> ApiError {
    if path == "/" && ASSETS.is_empty() {
        let message = "this binary was built without the page: build it with the default features";
        return ApiError::new(StatusCode::NOT_FOUND, "no_page", message);
    }
    nothing_here()
}

/// 404.
pub(crate) fn nothing_here() -> ApiError {
    ApiError::new(
        StatusCode::NOT_FOUND,
        "not_found",
        "there is nothing here: GET /api/openapi.json lists what there is",
    )
}

/// The smallest form of a file that the browser takes, and its name.
fn form(asset: &Asset, headers: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
    let forms = [(asset.brotli, "br"), (asset.gzip, "gzip")];
    let taken = forms.into_iter().find_map(|(body, name)| Some((body.filter(|_| takes(headers, name))?, Some(name))));
    taken.unwrap_or((asset.body, None))
}

/// Whether `Accept-Encoding` names an encoding and does not refuse it (`br;q=0`).
fn takes(headers: &HeaderMap, encoding: &str) -> bool {
    let offers = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|offers| offers.split(',')).any(|offer| {
        let (name, weight) = offer.split_once(';').unwrap_or((offer, ""));
        let weight = weight.trim().strip_prefix("q=").map_or(Ok(1.0), str::parse::<f32>);
        name.trim().eq_ignore_ascii_case(encoding) && weight.is_ok_and(|weight| weight > 0.0)
    })
}

fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    known.split(',').any(|known| known.trim().trim_start_matches("W/") == etag.trim_start_matches("W/"))
}

const KEEP_FOREVER: &str = "public, max-age=31536000, immutable";
const HARDENING: [(HeaderName, &str); 3] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_path_of_the_api_is_never_the_page() {
        assert_eq!(serve("/api/serch", &HeaderMap::new()).unwrap_err().status(), StatusCode::NOT_FOUND);
        assert_eq!(serve("/assets/none.js", &HeaderMap::new()).unwrap_err().status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn a_file_goes_out_in_the_smallest_form_that_the_browser_takes() {
        let asset = Asset {
            path: "/assets/a.js",
            content_type: "text/javascript",
            body: b"plain",
            brotli: Some(b"br"),
            gzip: Some(b"gz"),
            etag: "W/\"1\"",
        };
        let formed = |accept: &[&'static str], asset: &Asset| {
            let values = accept.iter().map(|value| (ACCEPT_ENCODING, HeaderValue::from_static(value)));
            form(asset, &values.collect()).1
        };
        assert_eq!(formed(&["gzip, deflate, br, zstd"], &asset), Some("br"));
        assert_eq!(formed(&["gzip", "BR;q=0.2"], &asset), Some("br"));
        assert_eq!(formed(&["gzip, deflate"], &asset), Some("gzip"));
        assert_eq!(formed(&["br;q=0, gzip; q=0.5"], &asset), Some("gzip"));
        for plain in [&[][..], &["identity"], &["*"], &["br;q=0.000,gzip;q=0"], &["br;q=much"], &["brotli"]] {
            assert_eq!(formed(plain, &asset), None, "{plain:?}");
        }
        assert_eq!(formed(&["br"], &Asset { brotli: None, ..asset }), None);
    }

    #[test]
    fn every_answer_carries_the_policy() {
        let mut headers = HeaderMap::new();
        harden(&mut headers);
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';") && !policy.contains("unsafe"));
        assert_eq!(headers.len(), 3);
    }
}
