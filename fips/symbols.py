#!/usr/bin/env python3
"""Looks at every symbol of an unstripped `helios` and fails on cryptography that is not the module's.

  fips/symbols.py BINARY --build default|fips [--write FILE] [--expect FILE]

--build default  symbols of AWS-LC must have the prefix `aws_lc_N_N_N_` and no other
--build fips     they must have the prefix `aws_lc_fips_N_N_N_` and no other
--write FILE     writes what was found as JSON, without addresses and counts that change with every compiler
--expect FILE    fails unless what was found is what this file says

It needs `nm` and `readelf` of binutils. A name in C is foreign if it belongs to a known library of cryptography; a
name in Rust if it is defined in a crate of cryptography. The exceptions are named below with their reasons, and
one that is no longer needed fails too, so that the list only shrinks.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

# An AWS-LC of either kind has some thousand symbols; fewer mean that the scan looked at the wrong thing.
MODULE_SYMBOLS_MIN = 500

PREFIX = re.compile(r"^(aws_lc_(?:fips_)?\d+_\d+_\d+)_")

# Names that only a library of cryptography defines. C names without the module's prefix; local labels of the module
# such as EVP_aes_256_gcm_bss_get are not global and do not count.
FOREIGN_C = {
    "ring": re.compile(r"^_?ring_core_"),
    "OpenSSL, BoringSSL or an AWS-LC without prefix": re.compile(
        r"^(EVP|SSL|SSL_CTX|RSA|DSA|DH|EC|ECDSA|BN|AES|DES|MD4|MD5|SHA1|SHA224|SHA256|SHA384|SHA512|HMAC|CRYPTO|OPENSSL|"
        r"X509|PKCS7|PKCS8|RAND|OSSL|BORINGSSL|FIPS)_[A-Za-z0-9]"),
    "mbed TLS": re.compile(r"^(mbedtls|psa)_"),
    "wolfSSL": re.compile(r"^(wolfSSL|wc)_"),
    "GnuTLS or libgcrypt": re.compile(r"^(gnutls|gcry|nettle)_"),
    "NSS": re.compile(r"^(PK11|NSS|SECKEY|SECMOD)_"),
    "libsodium": re.compile(r"^(sodium|crypto_(aead|auth|box|hash|kdf|pwhash|secretbox|sign|stream))_"),
}

# What the FIPS module itself defines without its prefix: the test of its own integrity, which is called by hand.
UNPREFIXED = {"default": set(), "fips": {"BORINGSSL_integrity_test"}}

# Crates of cryptography, as their names stand in symbols.
FOREIGN_RUST = """
aead aes aes_gcm aes_kw argon2 ascon bcrypt blake2 blake3 block_buffer boring cbc ccm chacha20 chacha20poly1305 cipher
cmac crypto_common crypto_bigint crypto_mac ctr curve25519_dalek des digest dsa ecdsa ed25519 ed25519_dalek
elliptic_curve ghash gnutls groestl hkdf hmac hpke jsonwebtoken k256 kem keccak mbedtls md2 md4 md5 md_5 ml_dsa ml_kem
native_tls openssl openssl_sys orion p224 p256 p384 p521 pbkdf2 pkcs1 pkcs8 poly1305 polyval primeorder rand_chacha
rand_hc ring ripemd rsa rustls_openssl rustls_ring salsa20 schannel scrypt sec1 secp256k1 sha1 sha1_smol sha2 sha3
signature sodiumoxide spki streebog tiger universal_hash whirlpool x25519_dalek
""".split()

# What is linked all the same, and why that is no cryptography of ours. See also deny.toml.
EXCEPTIONS = {
    "md5": "object_store writes a header of customer keys with it; that header is never sent, so it is never called",
    "chacha20": "the generator behind object_store's random pauses between retries, which are switched off; "
                "no key, nonce or id comes from it",
    "block_buffer": "a buffer that md5 fills; no algorithm",
    "digest": "traits and glue of md5; no algorithm",
    "crypto_common": "traits and glue of md5; no algorithm",
}
# Glue may be inlined away by one compiler and not by another: it is allowed, and not required to be there.
MAY_BE_ABSENT = {"block_buffer", "digest", "crypto_common"}

FOREIGN_LIBRARIES = re.compile(r"\blib(ssl|crypto|gnutls|nss3|nssutil3|gcrypt|sodium|nettle|mbedtls|wolfssl)\b")


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode(errors="replace")


def symbols(binary):
    """Kind and plain name of each symbol that is defined."""
    for line in run("nm", "--defined-only", "--format=posix", str(binary)).splitlines():
        parts = line.split(" ")
        if len(parts) >= 2:
            yield parts[1], parts[0]


def rust_crates(binary):
    """The crate in which each demangled function is defined, with one function as an example."""
    found = {}
    pattern = re.compile(r"^(?:<(?:&(?:mut )?|\[|\()*)?([a-z_][a-z0-9_]*)(?:\[[0-9a-f]+\])?::")
    for line in run("nm", "--defined-only", "--demangle", str(binary)).splitlines():
        parts = line.split(" ", 2)
        if len(parts) == 3 and parts[1] in "tTwW" and (match := pattern.match(parts[2])):
            found.setdefault(match[1], parts[2])
    return found


def glibc_min(binary):
    """The newest version of a symbol of glibc that the binary needs."""
    versions = re.findall(r"\bGLIBC_(\d+(?:\.\d+)+)", run("readelf", "--version-info", "--wide", str(binary)))
    return max(versions, key=lambda version: tuple(map(int, version.split("."))), default="none")


def look(binary, build):
    problems = []
    prefixes, foreign = {}, {}
    for kind, name in symbols(binary):
        if match := PREFIX.match(name):
            prefixes[match[1]] = prefixes.get(match[1], 0) + 1
        elif kind in "TDBRVW" and name not in UNPREFIXED[build]:
            for library, pattern in FOREIGN_C.items():
                if pattern.match(name):
                    foreign.setdefault(library, []).append(name)
    wanted = "aws_lc_fips_" if build == "fips" else "aws_lc_"
    ours = [p for p in prefixes if p.startswith("aws_lc_fips_") == (build == "fips")]
    if len(ours) != 1 or prefixes[ours[0]] < MODULE_SYMBOLS_MIN:
        problems.append(f"there is no one module with the prefix {wanted}N_N_N_ and {MODULE_SYMBOLS_MIN} symbols: "
                        f"{prefixes or 'the binary is stripped, or has no AWS-LC'}")
    for prefix in prefixes:
        if prefix not in ours:
            problems.append(f"there are {prefixes[prefix]} symbols of another AWS-LC: {prefix}_...")
    for library, names in foreign.items():
        problems.append(f"{len(names)} symbols of {library}, such as {names[0]}")
    crates = rust_crates(binary)
    if "helios" not in crates or "rustls" not in crates:
        problems.append("there are no symbols of helios and rustls: the binary is stripped")
    linked = sorted(set(crates) & set(FOREIGN_RUST))
    for crate in linked:
        if crate not in EXCEPTIONS:
            problems.append(f"code of the crate {crate} is linked, such as {crates[crate]}")
    for crate in EXCEPTIONS:
        if crate not in linked and crate not in MAY_BE_ABSENT:
            problems.append(f"the exception for {crate} is not needed any more: remove it")
    libraries = sorted(re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "--dynamic", "--wide", str(binary))))
    problems += [f"the library {name} is loaded" for name in libraries if FOREIGN_LIBRARIES.search(name)]
    excepted = {crate: EXCEPTIONS[crate] for crate in linked if crate in EXCEPTIONS and crate not in MAY_BE_ABSENT}
    return {
        "build": build,
        "module_prefix": ours[0] if len(ours) == 1 else None,
        "foreign_c_symbols": sum(map(len, foreign.values())),
        "foreign_rust_crates": [crate for crate in linked if crate not in EXCEPTIONS],
        "excepted_rust_crates": excepted,
        "libraries": libraries,
        "glibc_min": glibc_min(binary),
    }, prefixes, problems


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--build", choices=("default", "fips"), required=True)
    parser.add_argument("--write", type=pathlib.Path)
    parser.add_argument("--expect", type=pathlib.Path)
    arguments = parser.parse_args()
    found, prefixes, problems = look(arguments.binary, arguments.build)
    text = json.dumps(found, indent=2) + "\n"
    for prefix, count in sorted(prefixes.items()):
        print(f"{count} symbols {prefix}_...")
    for crate, reason in found["excepted_rust_crates"].items():
        print(f"excepted: {crate}: {reason}")
    if arguments.write:
        arguments.write.write_text(text)
    if arguments.expect and arguments.expect.read_text() != text:
        problems.append(f"this is not what {arguments.expect} says")
    for problem in problems:
        print(f"PROBLEM {problem}", file=sys.stderr)
    if problems:
        sys.exit(1)
    print("no cryptography beside the module")


if __name__ == "__main__":
    main()
