#!/usr/bin/env python3
"""Makes the manual pages from what the program says of itself.

    packaging/man.py BINARY VERSION FOLDER

Writes helios.1 and a page for each command, of section 8 where it is for whoever runs a server, into FOLDER. A command
within a command (`helios store adopt`) is a part of its command's page.
"""

import datetime
import re
import subprocess
import sys
from pathlib import Path

import parts

# Commands for operators: they need the server's files or rights.
OPERATORS = {"serve", "verify", "store", "settings", "key", "fips", "bundle"}
SEE_ALSO = "The full documentation is in /usr/share/doc/helios."


def help_of(binary, command):
    return subprocess.run([binary, *command, "--help"], check=True, stdout=subprocess.PIPE, text=True).stdout


def sections(text):
    """The text before `Usage:`, the usage, and what follows by headline."""
    about, rest = text.split("\nUsage: ", 1)
    usage, _, rest = rest.partition("\n\n")
    found, name = [], None
    for line in rest.splitlines():
        if re.fullmatch(r"[A-Z][A-Za-z ]*:", line):
            name = line[:-1]
            found.append((name, []))
        elif re.match(r"(Example|Examples): ", line):
            found.append((name := "Examples", []))
        elif found and (line.startswith(" ") or not line):
            found[-1][1].append(line)
        elif line:
            if name != "":
                found.append((name := "", []))
            found[-1][1].append(line)
    return " ".join(about.split()), usage, [(name, "\n".join(lines).strip("\n")) for name, lines in found]


def escape(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti")
    return re.sub(r"(?m)^([.])", r"\\&\1", text)


def items(text):
    """Options, arguments or commands with what is said of each."""
    found = []
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        stripped = line.strip()
        if stripped and indent <= 6 and (stripped[0] in "-<[" or indent == 2):
            name, _, said = stripped.partition("  ")
            found.append((name, [said.strip()]))
        elif stripped:
            found[-1][1].append(stripped)
    return [(name, " ".join(said for said in text if said)) for name, text in found]


def body(binary, command, level):
    about, usage, rest = sections(help_of(binary, command))
    out = []
    for name, text in rest:
        if name in ("Options", "Arguments", "Commands"):
            entries = [(key, said) for key, said in items(text) if key != "help"]
            out.append(f"{level} {name.upper()}")
            for key, said in entries:
                out += [".TP", f"\\fB{escape(key)}\\fR", escape(said)]
            if name == "Commands" and command:
                for key, _ in entries:
                    inner_about, inner_usage, inner = body(binary, [*command, key], ".SS")
                    out += [f".SH {key.upper()}", escape(inner_about), ".PP", f"\\fB{escape(inner_usage)}\\fR", *inner]
        elif name:
            out += [f"{level} {name.upper()}", ".nf", escape(text), ".fi"]
        else:
            out += [".PP", escape(" ".join(text.split()))]
    return about, usage, out


def page(binary, version, date, command):
    name = "-".join(["helios", *command])
    section = 8 if command and command[0] in OPERATORS else 1
    about, usage, rest = body(binary, command, ".SH")
    lines = [
        f'.TH {name.upper()} {section} {date} "helios {version}" "HeliosLogs"',
        ".SH NAME", f"{escape(name)} \\- {escape(about[0].lower() + about[1:])}",
        ".SH SYNOPSIS", f"\\fB{escape(usage)}\\fR",
        ".SH DESCRIPTION", escape(about) + ".", *rest,
        ".SH SEE ALSO", escape(SEE_ALSO) if not command else "\\fBhelios\\fR(1). " + escape(SEE_ALSO),
    ]
    return f"{name}.{section}", "\n".join(lines) + "\n"


def main():
    binary, version, folder = sys.argv[1:]
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    date = datetime.datetime.fromtimestamp(parts.epoch(), datetime.timezone.utc).strftime("%Y-%m-%d")
    _, _, rest = sections(help_of(binary, []))
    commands = [name for name, _ in items(dict(rest)["Commands"]) if name != "help"]
    for command in [[], *([name] for name in commands)]:
        name, text = page(binary, version, date, command)
        (folder / name).write_text(text)


main()
