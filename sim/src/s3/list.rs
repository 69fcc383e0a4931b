//! `ListObjectsV2`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Bound;

use super::bucket::{Lie, State};

/// What S3 gives at most.
const PAGE_OBJECTS_MAX: usize = 1_000;

/// Any date does: nothing may depend on it.
const LAST_MODIFIED_XML: &str = "2026-01-01T00:00:00.000Z";

/// One page, as XML.
pub(super) fn page(state: &State, query: &BTreeMap<String, String>) -> String {
    let given = |name: &str| query.get(name).map_or("", String::as_str);
    let (prefix, encoded) = (given("prefix"), given("encoding-type") == "url");
    // A continuation token outranks what the first page began after.
    let token = query.get("continuation-token").map(|token| unhex(token));
    let after = token.unwrap_or_else(|| given("start-after").to_owned());
    let max = given("max-keys").parse().unwrap_or(PAGE_OBJECTS_MAX).min(PAGE_OBJECTS_MAX);
    let max = if state.faults.page_objects_max > 0 { max.min(state.faults.page_objects_max) } else { max };
    let newest = state.objects.values().map(|object| object.number).max().unwrap_or(0);
    let hidden = |number: u64| state.lie == Some(Lie::StaleLists) && number == newest;
    let from = if after.as_str() < prefix { Bound::Included(prefix) } else { Bound::Excluded(after.as_str()) };
    let mut shown = state
        .objects
        .range::<str, _>((from, Bound::Unbounded))
        .take_while(|(key, _)| key.starts_with(prefix))
        .filter(|(_, object)| !hidden(object.number));
    let page: Vec<_> = shown.by_ref().take(max).collect();
    let more = shown.next().is_some() && !page.is_empty();
    let name = |key: &str| if encoded { url_encoded(key) } else { escaped(key) };
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult><Name>bucket</Name>");
    let _ = write!(xml, "<Prefix>{}</Prefix><KeyCount>{}</KeyCount><MaxKeys>{max}</MaxKeys>", name(prefix), page.len());
    if encoded {
        xml.push_str("<EncodingType>url</EncodingType>");
    }
    let _ = write!(xml, "<IsTruncated>{more}</IsTruncated>");
    if let (true, Some((last, _))) = (more, page.last()) {
        let _ = write!(xml, "<NextContinuationToken>{}</NextContinuationToken>", hex(last));
    }
    for (key, object) in page {
        let (key, number, size) = (name(key), object.number, object.body.len());
        let _ = write!(
            xml,
            "<Contents><Key>{key}</Key><LastModified>{LAST_MODIFIED_XML}</LastModified><ETag>&quot;{number}&quot;</ETag>\
             <Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        );
    }
    xml.push_str("</ListBucketResult>");
    xml
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn url_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A token that says nothing to its reader.
fn hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn unhex(hex: &str) -> String {
    let digits: Vec<u8> = hex.bytes().filter_map(|byte| char::from(byte).to_digit(16)?.try_into().ok()).collect();
    String::from_utf8_lossy(&digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect::<Vec<_>>()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::Bucket;
    use super::*;

    fn keys(bucket: &Bucket, query: &[(&str, &str)]) -> (Vec<String>, Option<String>) {
        let query = query.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let xml = page(&bucket.lock(), &query);
        let between = |tag: &str| -> Vec<String> {
            let tag = format!("<{tag}>");
            let pieces = xml.split(&tag).skip(1);
            pieces.filter_map(|piece| Some(piece.split_once('<')?.0.to_owned())).collect()
        };
        (between("Key"), between("NextContinuationToken").pop())
    }

    #[test]
    fn pages_go_on_where_the_last_one_ended_whatever_the_first_began_after() {
        let bucket = Bucket::new(1);
        for key in ["a/1", "a/2", "a/3", "a/4", "b/1"] {
            bucket.lock().create(key, &"x".into(), false);
        }
        let first = [("prefix", "a/"), ("start-after", "a/1"), ("max-keys", "2")];
        let (shown, token) = keys(&bucket, &first);
        assert_eq!(shown, ["a/2", "a/3"]);
        let token = token.unwrap();
        let (shown, token) = keys(&bucket, &[&first[..], &[("continuation-token", &token)]].concat());
        assert_eq!((shown, token), (vec!["a/4".to_owned()], None));
        assert_eq!(keys(&bucket, &[("prefix", "c")]).0, [""; 0]);
        bucket.lock().create("a/ä&b", &"x".into(), false);
        assert_eq!(keys(&bucket, &[("prefix", "a/ä"), ("encoding-type", "url")]).0, ["a/%C3%A4%26b"]);
    }
}
