#!/usr/bin/env python3
"""Tests of the tools in this folder: each finds what it is there to find. Needs gcc and binutils.

  python3 fips/test_scripts.py
"""

import pathlib
import subprocess
import tempfile
import unittest

import compare_source
import generate
import symbols


def linked(folder, *names):
    """A program with functions of these names, beside as many of a module as a real one has."""
    module = [f"aws_lc_0_45_0_f{n}" for n in range(symbols.MODULE_SYMBOLS_MIN)]
    rust = ["_ZN6helios4main17h0000000000000000E", "_ZN6rustls4main17h0000000000000000E"]
    rust += [f"_ZN{len(name)}{name}1f17h0000000000000000E" for name in ("md5", "chacha20")]
    source = pathlib.Path(folder, "a.c")
    source.write_text("\n".join(f"void {name}(void) {{}}" for name in [*module, *rust, *names]) + "\nint main() { return 0; }")
    program = pathlib.Path(folder, "a")
    subprocess.run(["gcc", "-O0", "-o", program, source], check=True)
    return program


class Symbols(unittest.TestCase):
    def problems(self, *names, build="default", drop=""):
        with tempfile.TemporaryDirectory() as folder:
            program = linked(folder, *names)
            if drop:
                subprocess.run(["objcopy", "--wildcard", f"--strip-symbol={drop}", program], check=True)
            return symbols.look(program, build)[2]

    def test_a_program_with_the_module_alone_is_clean(self):
        self.assertEqual(self.problems(), [])
        self.assertEqual(self.problems("aws_lc_0_45_0_EVP_x", "serve_EVP_x", "_ZN5rings4main17h0000000000000000E"), [])

    def test_cryptography_in_c_is_found(self):
        for name in ("EVP_EncryptInit_ex", "SHA256_Init", "ring_core_0_17_x", "mbedtls_aes_init", "crypto_sign_open",
                     "gcry_md_open", "wc_AesInit", "SSL_new", "BORINGSSL_self_test"):
            found = self.problems(name)
            self.assertEqual(len(found), 1, name)
            self.assertIn(name, found[0])

    def test_cryptography_in_rust_is_found(self):
        for crate in ("sha2", "ring", "rand_chacha", "aes_gcm", "curve25519_dalek", "openssl"):
            found = self.problems(f"_ZN{len(crate)}{crate}4seal17h0000000000000000E")
            self.assertEqual(len(found), 1, crate)
            self.assertIn(f"crate {crate} ", found[0])

    def test_two_forms_of_the_module_are_found(self):
        self.assertEqual(len(self.problems("aws_lc_fips_0_13_17_x")), 1)
        self.assertEqual(len(self.problems("aws_lc_0_44_0_x")), 1)
        # No FIPS module, and another one that should not be there.
        self.assertEqual(len(self.problems(build="fips")), 2)

    def test_the_one_name_without_prefix_is_taken_in_a_fips_build_only(self):
        self.assertEqual(len(self.problems("BORINGSSL_integrity_test")), 1)
        fips = self.problems("BORINGSSL_integrity_test", build="fips")
        self.assertFalse([problem for problem in fips if "BORINGSSL" in problem], fips)

    def test_an_exception_that_is_not_needed_is_found(self):
        self.assertIn("md5 is not needed", self.problems(drop="_ZN3md5*")[0])

    def test_a_stripped_program_is_no_clean_one(self):
        self.assertIn("stripped", " ".join(self.problems(drop="*")))


class Source(unittest.TestCase):
    def test_a_blob_is_named_as_git_names_it(self):
        # What `git hash-object` says of an empty file and of "hello\n".
        self.assertEqual(compare_source.blob_hash(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391")
        self.assertEqual(compare_source.blob_hash(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a")

    def test_what_differs_is_new_or_is_gone_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder, "aws-lc", "crypto", "fipsmodule")
            source.mkdir(parents=True)
            (source / "bcm.c").write_text("changed")
            (source / "new.c").write_text("new")
            found = compare_source.compare(pathlib.Path(folder))
        self.assertEqual(found["differing"], ["crypto/fipsmodule/bcm.c"])
        self.assertEqual(found["not_in_the_tag"], ["crypto/fipsmodule/new.c"])
        self.assertEqual(found["identical"], 0)
        self.assertIn("crypto/fipsmodule/aes/aes.c", found["left_out_though_compiled"])
        self.assertNotIn("crypto/fipsmodule/bcm.c", found["left_out_though_compiled"])


class Generate(unittest.TestCase):
    def test_a_typed_figure_is_replaced_and_an_unknown_table_refused(self):
        inventory = {"non_security": [{"name": "X", "crates": [], "purpose": "p", "reason": "r"}]}
        text = "a\n<!-- generated: hashes -->\ntyped\n<!-- end -->\nb\n"
        made = generate.filled(text, {}, inventory, "x.md")
        self.assertIn("| X | - | p | r |", made)
        self.assertNotIn("typed", made)
        self.assertEqual(generate.filled(made, {}, inventory, "x.md"), made)
        with self.assertRaises(SystemExit):
            generate.filled(text.replace("hashes", "other"), {}, inventory, "x.md")

    def test_a_difference_fails_the_check_and_is_not_written(self):
        path = generate.HERE / "evidence" / "no-such-profile.json"
        with self.assertRaises(SystemExit):
            generate.settle({path: "text"}, check=True)
        self.assertFalse(path.exists())

    def test_a_build_that_speaks_more_than_the_inventory_is_refused(self):
        inventory = generate.read_json(generate.HERE / "inventory.json")
        suites = [suite for one in inventory["protocols"] for suite in one["suites"]]
        status = {"tls": {"suites": suites, "groups": ["secp256r1", "secp384r1", "X25519MLKEM768"]},
                  "other_hashes": [{"algorithm": "MD5"}], "problems": []}
        generate.check_inventory({"default": {"status": status}}, inventory)
        for change in ({"tls": {**status["tls"], "suites": [*suites, "TLS13_CHACHA20_POLY1305_SHA256"]}},
                       {"tls": {**status["tls"], "groups": ["X25519"]}},
                       {"other_hashes": [{"algorithm": "MD4"}]}, {"problems": ["x"]}):
            with self.assertRaises(SystemExit):
                generate.check_inventory({"default": {"status": {**status, **change}}}, inventory)


if __name__ == "__main__":
    unittest.main()
