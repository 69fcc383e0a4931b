//! Published vectors, run through the room `crypto`: on the FIPS build each of them is an approved service.

use helios::crypto::signature::{PublicKey, SignatureError};
use helios::crypto::{HMAC_KEY_BYTES_MIN, HmacSha256, SealError, SealingKey, Sha256, hex, sha256};
use serde_json::Value;

const AES_GCM: &str = include_str!("../data/vectors/aes_gcm_test.json");
const ECDSA_P256: &str = include_str!("../data/vectors/ecdsa_secp256r1_sha256_test.json");
const HMAC_SHA256: &str = include_str!("../data/vectors/hmac_sha256_test.json");

fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn groups(text: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(text).unwrap();
    file["testGroups"].as_array().unwrap().clone()
}

/// The tests of the groups that fit, each with what is expected.
fn tests(text: &str, fits: impl Fn(&Value) -> bool) -> Vec<(Value, bool)> {
    let groups = groups(text).into_iter().filter(|group| fits(group));
    groups
        .flat_map(|group| group["tests"].as_array().unwrap().clone())
        .map(|test| (test.clone(), test["result"] == "valid"))
        .collect()
}

#[test]
fn aes_256_gcm_opens_what_is_genuine_and_nothing_else() {
    let tests = tests(AES_GCM, |group| group["keySize"] == 256 && group["ivSize"] == 96 && group["tagSize"] == 128);
    for (test, is_valid) in &tests {
        let key = SealingKey::new("k".into(), &bytes(&test["key"]).try_into().unwrap());
        let sealed = [bytes(&test["ct"]), bytes(&test["tag"])].concat();
        let opened = key.open(&bytes(&test["aad"]), bytes(&test["iv"]).try_into().unwrap(), &sealed);
        let expected = if *is_valid { Ok(bytes(&test["msg"])) } else { Err(SealError::NotGenuine) };
        assert_eq!(opened, expected, "test {} ({})", test["tcId"], test["comment"]);
    }
    assert_eq!((tests.len(), tests.iter().filter(|(_, valid)| *valid).count()), (66, 39));
}

#[test]
fn hmac_sha256_gives_the_published_codes() {
    let tests = tests(HMAC_SHA256, |group| group["tagSize"] == 256);
    for (test, is_valid) in &tests {
        let key = bytes(&test["key"]);
        assert!(key.len() >= HMAC_KEY_BYTES_MIN);
        let mut hmac = HmacSha256::new(&key).unwrap();
        hmac.update(&bytes(&test["msg"]));
        let code = hmac.finish().unwrap();
        assert_eq!(code.as_slice() == bytes(&test["tag"]), *is_valid, "test {} ({})", test["tcId"], test["comment"]);
    }
    assert_eq!(tests.len(), 87);
}

#[test]
fn ecdsa_on_p_256_believes_the_published_signatures_that_are_genuine_and_no_other() {
    let (mut seen, mut genuine) = (0, 0);
    for group in groups(ECDSA_P256) {
        let key = PublicKey::from_pem(group["publicKeyPem"].as_str().unwrap().as_bytes()).unwrap();
        for test in group["tests"].as_array().unwrap() {
            let is_valid = test["result"] == "valid";
            let expected = if is_valid { Ok(()) } else { Err(SignatureError::NotGenuine) };
            let verified = key.verify(&bytes(&test["msg"]), &bytes(&test["sig"]));
            assert_eq!(verified, expected, "test {} ({})", test["tcId"], test["comment"]);
            (seen, genuine) = (seen + 1, genuine + usize::from(is_valid));
        }
    }
    assert_eq!((seen, genuine), (484, 174));
}

/// FIPS 180-2, appendix B, and the digest of nothing.
#[test]
fn sha_256_gives_the_published_digests() {
    let long = vec![b'a'; 1_000_000];
    let two_blocks = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    for (message, digest) in [
        (b"".as_slice(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (two_blocks, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
        (&long, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ] {
        assert_eq!(hex(&sha256(message)), digest);
        let mut pieces = Sha256::new();
        message.chunks(977).for_each(|piece| pieces.update(piece));
        assert_eq!(hex(&pieces.finish()), digest);
    }
}
