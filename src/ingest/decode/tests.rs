//! Decoding against the encoders of other hands, whole and cut into chunks.

use std::io::Write;

use proptest::prelude::*;

use super::*;

const ENCODINGS: &[&str] =
    &["identity", "gzip", "gzip twice", "deflate", "raw deflate", "zstd", "zstd twice", "framed", "snappy"];

/// `plain` in an encoding; its name in the header.
fn encoded(encoding: &str, plain: &[u8]) -> (&'static str, Vec<u8>) {
    let level = flate2::Compression::default();
    let gzip = |part: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |part: &[u8]| zstd::bulk::compress(part, 3).unwrap();
    let (front, back) = plain.split_at(plain.len() / 3);
    match encoding {
        "identity" => ("identity", plain.to_vec()),
        "gzip" => ("GZip", gzip(plain)),
        "gzip twice" => ("gzip", [gzip(front), gzip(back)].concat()),
        "deflate" => {
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(plain).unwrap();
            ("deflate", encoder.finish().unwrap())
        }
        "raw deflate" => {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(plain).unwrap();
            ("deflate", encoder.finish().unwrap())
        }
        "zstd" => ("zstd", zstd(plain)),
        "zstd twice" => ("zstd", [zstd(front), zstd(back)].concat()),
        "framed" => {
            let mut encoder = snap::write::FrameEncoder::new(Vec::new());
            encoder.write_all(plain).unwrap();
            ("snappy", encoder.into_inner().unwrap())
        }
        "snappy" => ("snappy", snap::raw::Encoder::new().compress_vec(plain).unwrap()),
        other => panic!("{other}"),
    }
}

/// The decoded body, or why not; never holding more than a step at a time.
fn decode(name: &str, body: &[u8], chunk: usize) -> Result<Vec<u8>, DecodeError> {
    let mut plain = Vec::new();
    run(name, body, chunk, |step| plain.extend_from_slice(step)).map(|()| plain)
}

fn run(name: &str, body: &[u8], chunk: usize, mut each: impl FnMut(&[u8])) -> Result<(), DecodeError> {
    let mut decoder = Decoder::new(Some(name))?;
    let mut step = Vec::new();
    for chunk in body.chunks(chunk) {
        decoder.feed(Bytes::copy_from_slice(chunk))?;
        while decoder.step(&mut step)? {
            assert!(step.len() <= STEP_BYTES_MAX || name == "snappy", "a step of {}", step.len());
            each(&step);
        }
    }
    decoder.end();
    while decoder.step(&mut step)? {
        each(&step);
    }
    assert!(!decoder.step(&mut step)? && step.is_empty());
    Ok(())
}

fn log_lines(count: usize) -> Vec<u8> {
    (0..count).flat_map(|n| format!("{{\"n\":{n},\"h\":\"{:x}\"}}\n", n * 0x9e37_79b9).into_bytes()).collect()
}

#[test]
fn every_encoding_gives_the_body_back_whatever_the_chunks() {
    let plain = log_lines(200);
    for encoding in ENCODINGS {
        let (name, body) = encoded(encoding, &plain);
        for chunk in [1, 7, 4_096, body.len()] {
            assert!(decode(name, &body, chunk).unwrap() == plain, "{encoding} in chunks of {chunk}");
        }
        for short in [b"".as_slice(), b"x", b"ab"] {
            let (name, body) = encoded(encoding, short);
            if body.is_empty() && name != "identity" {
                // This encoder writes nothing at all for nothing: for us that is a body cut off.
                assert!(matches!(decode(name, &body, 1), Err(DecodeError::Truncated { .. })));
                continue;
            }
            assert_eq!(decode(name, &body, 1).unwrap(), short, "{encoding} of {short:?}");
        }
    }
}

#[test]
fn a_body_that_is_cut_off_anywhere_is_an_error() {
    let plain = log_lines(20);
    for encoding in ENCODINGS.iter().filter(|encoding| **encoding != "identity") {
        let (name, body) = encoded(encoding, &plain);
        let mut complete = Vec::new();
        for len in 0..body.len() {
            match decode(name, &body[..len], 64) {
                Err(error) => assert!(!error.to_string().is_empty()),
                Ok(part) => complete.push((len, part)),
            }
        }
        for (len, part) in complete {
            // Only at a border of members, frames: what was sent so far is whole there.
            assert!(encoding.contains("twice") || *encoding == "framed", "{encoding} cut at {len} was accepted");
            assert!(plain.starts_with(&part));
        }
    }
}

#[test]
fn a_bomb_is_refused_before_it_is_in_memory() {
    let zeros = vec![0; 64 << 20];
    for encoding in ["gzip", "deflate", "raw deflate", "zstd"] {
        let (name, body) = encoded(encoding, &zeros);
        let body = body.repeat(if encoding.contains("deflate") { 1 } else { 20 });
        let mut given = 0;
        let error = run(name, &body, 1 << 16, |step| given += step.len()).unwrap_err();
        assert!(matches!(error, DecodeError::TooLarge(_)), "{encoding}: {error}");
        assert!(given <= RATIO_FROM_BYTES as usize + STEP_BYTES_MAX, "{encoding}: {given} bytes were given out");
    }
    let claims_a_gib = [0x80, 0x80, 0x80, 0x80, 0x04, 0, 0];
    assert!(matches!(decode("snappy", &claims_a_gib, 9), Err(DecodeError::TooLarge(_))));
    let claims_60_mib = [0x80, 0x80, 0x80, 0x1e, 0, 0];
    assert!(matches!(decode("snappy", &claims_60_mib, 9), Err(DecodeError::Corrupt { .. })));
}

#[test]
fn a_body_of_one_repeated_line_below_16_mib_is_no_bomb() {
    let plain = vec![b'a'; 15 << 20];
    let (name, body) = encoded("zstd", &plain);
    assert!(body.len() * 1_000 < plain.len());
    assert!(decode(name, &body, 1 << 16).unwrap() == plain);
}

#[test]
fn more_than_256_mib_as_sent_are_refused() {
    let mut decoder = Decoder::new(Some("gzip")).unwrap();
    decoder.taken = COMPRESSED_BYTES_MAX;
    assert!(matches!(decoder.feed(Bytes::from_static(b"x")), Err(DecodeError::TooLarge(_))));
}

#[test]
fn more_than_1_gib_when_decoded_is_refused() {
    let mut decoder = Decoder::new(None).unwrap();
    decoder.given = INFLATED_BYTES_MAX;
    decoder.feed(Bytes::from_static(b"x")).unwrap();
    assert!(matches!(decoder.step(&mut Vec::new()), Err(DecodeError::TooLarge(_))));
}

#[test]
fn unknown_encodings_and_foreign_bytes_are_named() {
    let error = Decoder::new(Some("br")).err().unwrap();
    assert_eq!(error.to_string(), "content encoding `br` is not known; send gzip, deflate, zstd, snappy or none");
    assert!(Decoder::new(Some("gzip, zstd")).is_err());
    for name in ["gzip", "deflate", "zstd", "snappy"] {
        let error = decode(name, b"{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n", 8).unwrap_err();
        assert!(matches!(error, DecodeError::Corrupt { .. } | DecodeError::Truncated { .. }), "{name}: {error}");
    }
    assert!(Decoder::new(Some("")).is_ok() && Decoder::new(None).is_ok());
}

#[test]
fn a_window_beyond_8_mib_is_refused() {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
    encoder.set_parameter(zstd::stream::raw::CParameter::WindowLog(27)).unwrap();
    encoder.write_all(&log_lines(1_000)).unwrap();
    let body = encoder.finish().unwrap();
    assert!(matches!(decode("zstd", &body, 4_096), Err(DecodeError::Corrupt { .. })));
}

proptest! {
    #[test]
    fn damaged_bodies_never_panic(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), which in 0..ENCODINGS.len(), chunk in 1..200usize,
    ) {
        let plain = log_lines(40);
        let (name, mut body) = encoded(ENCODINGS[which], &plain);
        let at = at.index(body.len());
        body[at] = byte;
        let _ = decode(name, &body, chunk);
        let _ = decode(name, &body[at..], chunk);
    }

    #[test]
    fn foreign_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..300), which in 0..ENCODINGS.len()) {
        let (name, _) = encoded(ENCODINGS[which], b"");
        let _ = decode(name, &body, 50);
        let _ = decode("snappy", &[SNAPPY_MAGIC, &body].concat(), 50);
    }
}
