#!/usr/bin/env python3
"""Makes what this folder says in figures, so that nobody types them.

  fips/generate.py                   writes the CBOMs and the tables of the documents
  fips/generate.py --check           writes nothing, and fails if anything committed is not what it would write
  fips/generate.py --collect PROFILE --binary BINARY --crate FOLDER [--check]
                                     looks at an unstripped FIPS build of a profile and at the source of its module,
                                     and writes fips/evidence/PROFILE.json; with --check it compares instead

PROFILE is `default` or `certificate-exact`. FOLDER is where cargo unpacked the crate aws-lc-fips-sys of that profile.

Read are: the lock files; fips/inventory.json, which a test holds against the code; and fips/evidence, where each file
is what one build said of itself (`helios fips status --json`), what its symbols say (fips/symbols.py) and how its
module's source compares with the validated tag (fips/compare_source.py). The same input gives the same bytes.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tomllib
import uuid

import compare_source
import symbols

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
LOCKS = {"default": ROOT / "Cargo.lock", "certificate-exact": HERE / "Cargo.exact.lock"}
DOCUMENTS = ("README.md", "boundary.md", "build.md", "claims.md", "statements.md", "key-life-cycle.md")
SHOWN_CRATES = ("aws-lc-rs", "aws-lc-fips-sys", "rustls", "rustls-webpki", "tokio-rustls")
# What a build says of itself that depends on the machine or the moment, not on the build.
UNSTEADY = ()


def read_json(path):
    return json.loads(path.read_text())


def evidence(profile):
    path = HERE / "evidence" / f"{profile}.json"
    if not path.is_file():
        sys.exit(f"{path.relative_to(ROOT)} is missing: make it with --collect {profile}")
    return read_json(path)


def locked(profile):
    """Versions of the crates that matter here, as the profile's lock file pins them."""
    found = {}
    for package in tomllib.loads(LOCKS[profile].read_text())["package"]:
        if package["name"] in SHOWN_CRATES:
            found.setdefault(package["name"], []).append(package["version"])
    return {name: ", ".join(sorted(found.get(name, ["-"]))) for name in SHOWN_CRATES}


# --- collecting -----------------------------------------------------------------------------------------------

def collect(profile, binary, crate):
    said = subprocess.run([str(binary), "fips", "status", "--json"], stdout=subprocess.PIPE, check=False)
    if not said.stdout:
        sys.exit(f"{binary} fips status --json says nothing")
    status = {name: value for name, value in json.loads(said.stdout).items() if name not in UNSTEADY}
    seen, _, problems = symbols.look(binary, "fips")
    if problems:
        sys.exit("\n".join(problems))
    if status["profile"] != profile:
        sys.exit(f"{binary} is a build of the profile {status['profile']}, not of {profile}")
    return {"status": status, "symbols": seen, "source": compare_source.compare(crate)}


# --- tables ---------------------------------------------------------------------------------------------------

def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def profiles_table(both, _):
    rows = []
    for profile, found in both.items():
        versions, status = locked(profile), found["status"]
        rows.append([f"`{profile}`", f"`{LOCKS[profile].relative_to(ROOT)}`", versions["aws-lc-rs"],
                     versions["aws-lc-fips-sys"], versions["rustls"], status["module"], status["certificate"]])
    return table(["profile", "lock file", "aws-lc-rs", "aws-lc-fips-sys", "rustls", "module says", "certificate"], rows)


def status_table(both, _):
    names = ("build", "profile", "module", "module_expected", "approved_mode", "self_tests", "service_indicator",
             "every_part_on_module")
    said = [found["status"] for found in both.values()]
    rows = [[f"`{name}`", *(json.dumps(status[name]).strip('"') for status in said)] for name in names]
    rows.append(["`problems`", *(len(status["problems"]) for status in said)])
    return table(["", *(f"`{profile}`" for profile in both)], rows)


def claims_table(both, _):
    return [f"- `{profile}`: “HeliosLogs {found['status']['claim']}.”" for profile, found in both.items()]


def certificate_table(_, inventory):
    cert = inventory["certificate"]
    rows = [["certificate", f"#{cert['number']} ({cert['program']})"], ["module", cert["module"]],
            ["version", cert["version"]], ["source tag", f"`{cert['tag']}`"],
            ["SHA-256 of the source archive, as the policy states it", f"`{cert['archive_sha256']}`"],
            ["read in", cert["policy"]]]
    rows += [["tested environment", name] for name in cert["environments"]]
    rows.append(["vendor-affirmed environments", ", ".join(cert["vendor_affirmed_environments"]) or "none"])
    return table(["", ""], rows)


def source_table(both, _):
    rows = []
    for profile, found in both.items():
        source = found["source"]
        inside = [path for path in source["differing"] if path.startswith(compare_source.MODULE)]
        rows.append([f"`{profile}`", source["crate"], f"{source['identical']} of {source['files']}",
                     f"{source['module_identical']} of {source['module_files']}",
                     ", ".join(f"`{path}`" for path in inside) or "none",
                     len(source["differing"]) - len(inside) + len(source["not_in_the_tag"])])
    return table(["profile", "crate", "files as in the tag", "of the module", "of the module and different",
                  "others different or new"], rows)


def symbols_table(both, _):
    rows = []
    for profile, found in both.items():
        seen = found["symbols"]
        rows.append([f"`{profile}`", f"`{seen['module_prefix']}_`", seen["foreign_c_symbols"],
                     ", ".join(seen["foreign_rust_crates"]) or "none",
                     ", ".join(seen["excepted_rust_crates"]) or "none",
                     ", ".join(seen["libraries"]), seen["glibc_min"]])
    return table(["profile", "prefix of the module's symbols", "C symbols of other cryptography",
                  "crates of other cryptography", "named exceptions", "libraries loaded", "glibc at least"], rows)


def tls_table(both, _):
    tls = next(iter(both.values()))["status"]["tls"]
    if any(found["status"]["tls"] != tls for found in both.values()):
        sys.exit("the profiles do not speak the same TLS: the table must tell them apart")
    return table(["", ""], [
        ["versions", ", ".join(tls["versions"])], ["suites", "<br>".join(tls["suites"])],
        ["groups", ", ".join(tls["groups"])], ["extended master secret (TLS 1.2)", tls["extended_master_secret"]],
        ["least bits of an RSA key", tls["rsa_bits_min"]]])


def services_table(_, inventory):
    rows = [[one["name"], one["purpose"], one["bound"]] for one in inventory["algorithms"]]
    return table(["algorithm", "used for", "what is held beyond what the module holds"], rows)


def hashes_table(_, inventory):
    rows = [[one["name"], ", ".join(one["crates"]) or "-", one["purpose"], one["reason"]]
            for one in inventory["non_security"]]
    return table(["function", "crates", "used for", "why it is no matter of security"], rows)


TABLES = {"profiles": profiles_table, "status": status_table, "claims": claims_table, "source": source_table,
          "certificate": certificate_table, "symbols": symbols_table, "tls": tls_table, "services": services_table,
          "hashes": hashes_table}


def filled(text, both, inventory, name):
    def fill(match):
        if match[1] not in TABLES:
            sys.exit(f"{name}: there is no table {match[1]}")
        lines = TABLES[match[1]](both, inventory)
        return "\n".join([f"<!-- generated: {match[1]} -->", *lines, "<!-- end -->"])
    return re.sub(r"<!-- generated: ([a-z]+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


# --- the inventory --------------------------------------------------------------------------------------------

def certification(profile):
    """What may stand in a CBOM. The update stream has no certificate; the exact module has one that holds in its
    tested environments alone, which no field of the format can say: `other`, with the whole sentence beside it."""
    return {"default": ["none"], "certificate-exact": ["other"]}[profile]


def algorithm(one, profile, status):
    properties = {
        "primitive": one["primitive"], "parameterSetIdentifier": one["parameter"],
        "executionEnvironment": "software-plain-ram", "implementationPlatform": "x86_64",
        "certificationLevel": certification(profile), "cryptoFunctions": one["functions"],
        "classicalSecurityLevel": one["classical_bits"], "nistQuantumSecurityLevel": one["quantum_level"],
    }
    if "mode" in one:
        properties["mode"] = one["mode"]
    if "curve" in one:
        properties["curve"] = one["curve"]
    return {
        "type": "cryptographic-asset", "bom-ref": f"algorithm/{one['id']}", "name": one["name"],
        "description": f"{one['purpose']}; {one['bound']}",
        "cryptoProperties": {"assetType": "algorithm", "algorithmProperties": properties},
        "properties": [{"name": "helios:module", "value": status["module"]},
                       {"name": "helios:certificate", "value": status["certificate"]}],
    }


def protocol(one):
    suites = [{"name": name, "algorithms": [f"algorithm/{used}" for used in algorithms]}
              for name, algorithms in one["suites"].items()]
    return {
        "type": "cryptographic-asset", "bom-ref": f"protocol/{one['id']}", "name": f"{one['name']} {one['version']}",
        "cryptoProperties": {"assetType": "protocol", "protocolProperties": {
            "type": "tls", "version": one["version"], "cipherSuites": suites}},
    }


def cbom(profile, found, inventory):
    status = found["status"]
    module = {"type": "library", "bom-ref": "module", "name": "AWS-LC FIPS",
              "version": status["module"].rsplit(" ", 1)[1], "description": status["claim"],
              "purl": f"pkg:cargo/aws-lc-fips-sys@{locked(profile)['aws-lc-fips-sys']}"}
    product = {"type": "application", "bom-ref": "helios", "name": "helios", "version": status["version"]}
    algorithms = [algorithm(one, profile, status) for one in inventory["algorithms"]]
    protocols = [protocol(one) for one in inventory["protocols"]]
    others = [{"name": f"helios:non-security:{one['name']}", "value": f"{one['purpose']}: {one['reason']}"}
              for one in inventory["non_security"]]
    refs = [part["bom-ref"] for part in algorithms]
    body = {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": "", "version": 1,
        "metadata": {"component": product, "properties": [{"name": "helios:profile", "value": profile}, *others]},
        "components": [module, *algorithms, *protocols],
        "dependencies": [
            {"ref": "helios", "dependsOn": [part["bom-ref"] for part in protocols] + refs},
            {"ref": "module", "provides": refs},
            *({"ref": f"protocol/{one['id']}", "dependsOn": sorted(
                {f"algorithm/{used}" for used_by in one["suites"].values() for used in used_by})}
              for one in inventory["protocols"])],
    }
    # Named by what it says, so that the same inventory always has the same number.
    body["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(body, sort_keys=True))}"
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


# --- what is checked on the way -------------------------------------------------------------------------------

def check_inventory(both, inventory):
    """What the builds say they speak and hash must be what the inventory says, in both directions."""
    for profile, found in both.items():
        tls = found["status"]["tls"]
        suites = {suite for one in inventory["protocols"] for suite in one["suites"]}
        groups = {one["code"][0].lower() for one in inventory["algorithms"] if one["primitive"] in ("key-agree", "combiner")}
        if set(tls["suites"]) != suites:
            sys.exit(f"{profile}: suites of the build and of the inventory differ: {set(tls['suites']) ^ suites}")
        if {group.lower() for group in tls["groups"]} != groups:
            sys.exit(f"{profile}: groups of the build and of the inventory differ: {groups}, {tls['groups']}")
        known = {one["name"] for one in inventory["non_security"]}
        if more := {one["algorithm"] for one in found["status"]["other_hashes"]} - known:
            sys.exit(f"{profile}: the build names hashes that the inventory does not: {more}")
        if found["status"]["problems"]:
            sys.exit(f"{profile}: the build has problems: {found['status']['problems']}")


def products(both, inventory):
    made = {HERE / f"cbom-{profile}.cdx.json": cbom(profile, found, inventory) for profile, found in both.items()}
    for name in DOCUMENTS:
        made[HERE / name] = filled((HERE / name).read_text(), both, inventory, name)
    return made


def settle(made, check):
    """Writes what was made, or says what is not committed as it would be written."""
    differing = [path for path, text in made.items() if not path.is_file() or path.read_text() != text]
    if not check:
        for path in differing:
            path.parent.mkdir(exist_ok=True)
            path.write_text(made[path])
    names = [str(path.relative_to(ROOT)) for path in differing]
    print("\n".join(names) or "all is as committed")
    if check and differing:
        sys.exit("these are not what the build gives: run fips/generate.py and look at the difference")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--collect", choices=tuple(LOCKS))
    parser.add_argument("--binary", type=pathlib.Path)
    parser.add_argument("--crate", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.collect:
        if not arguments.binary or not arguments.crate:
            parser.error("--collect needs --binary and --crate")
        found = collect(arguments.collect, arguments.binary.resolve(), arguments.crate)
        path = HERE / "evidence" / f"{arguments.collect}.json"
        settle({path: json.dumps(found, indent=2, ensure_ascii=False) + "\n"}, arguments.check)
        return
    both = {profile: evidence(profile) for profile in LOCKS}
    inventory = read_json(HERE / "inventory.json")
    check_inventory(both, inventory)
    settle(products(both, inventory), arguments.check)


if __name__ == "__main__":
    main()
