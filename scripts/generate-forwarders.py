#!/usr/bin/env python3
"""Writes Sources/CVidxExtension/forwarders.c: the SQLite functions that the loadable extension calls.

An extension must call the SQLite that loaded it, through the table of routines it is handed. VidxSQLite is also
linked into programs, where it calls sqlite3_* by name. So the extension gets functions of those names, hidden in the
library, that forward through the table. Which ones is read from the sources; how, from SQLite's own headers.

    scripts/generate-forwarders.py            write the file
    scripts/generate-forwarders.py --check    exit 1 when the file is not what would be written
"""

import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUTPUT = ROOT / "Sources/CVidxExtension/forwarders.c"
CALLERS = ["Sources/VidxSQLite/**/*.swift", "Sources/VidxExtension/**/*.swift", "Sources/CVidxSQLite/**/*.[ch]"]

# Variadic functions cannot be forwarded as they are: each is written here for the arguments it can get.
VARIADIC = {
    "sqlite3_mprintf": """char *sqlite3_mprintf(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = vidx_sqlite->vmprintf(format, arguments);
  va_end(arguments);
  return text;
}""",
    "sqlite3_log": """void sqlite3_log(int code, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  char *text = vidx_sqlite->vmprintf(format, arguments);
  va_end(arguments);
  vidx_sqlite->log(code, "%s", text ? text : "out of memory");
  vidx_sqlite->free(text);
}""",
    "sqlite3_vtab_config": """int sqlite3_vtab_config(sqlite3 *db, int op, ...) {
  va_list arguments;
  va_start(arguments, op);
  int value = op == SQLITE_VTAB_CONSTRAINT_SUPPORT ? va_arg(arguments, int) : 0;
  va_end(arguments);
  return vidx_sqlite->vtab_config(db, op, value);
}""",
    "sqlite3_db_config": """int sqlite3_db_config(sqlite3 *db, int op, ...) {
  va_list arguments;
  va_start(arguments, op);
  int value = va_arg(arguments, int);
  int *result = va_arg(arguments, int *);
  va_end(arguments);
  return vidx_sqlite->db_config(db, op, value, result);
}""",
}

# The last word of a parameter that has no name.
TYPE_WORDS = {"int", "char", "double", "void", "unsigned", "short", "long"}


def header(name, include):
    path = pathlib.Path(include) / name
    if not path.exists():
        sys.exit(f"{path} is missing: install SQLite's development files, or name their folder with --include")
    return path.read_text()


def used_functions(table, types):
    """Every function of the table that the sources mention, called or passed on."""
    names, unknown = set(), set()
    for pattern in CALLERS:
        for path in ROOT.glob(pattern):
            text = path.read_text()
            names.update(name for name in re.findall(r"\bsqlite3_[a-z0-9_]+", text) if name in table)
            unknown.update(set(re.findall(r"\bsqlite3_[a-z0-9_]+(?=\()", text)) - table.keys() - types)
    if unknown:
        sys.exit("not in the table that extensions are handed: " + ", ".join(sorted(unknown)))
    return sorted(names)


def routines(extension_header):
    """What each function is called in the table, and the SQLite version that added the member."""
    members = dict(re.findall(r"#define\s+(sqlite3_\w+)\s+sqlite3_api->(\w+)", extension_header))
    table = extension_header[extension_header.index("struct sqlite3_api_routines {"):]
    table = table[: table.index("\n};")]
    versions, version = {}, 3000000
    for line in table.splitlines():
        added = re.search(r"Version (\d+)\.(\d+)\.(\d+) and later", line) or re.search(
            r"Added (?:by|for) (\d+)\.(\d+)\.(\d+)", line)
        if added:
            major, minor, patch = map(int, added.groups())
            version = major * 1000000 + minor * 1000 + patch
        for member in re.findall(r"\(\*(?:const )?(\w+)\)\s*\(", line)[:1]:
            versions[member] = version
    return {name: (member, versions.get(member, 3000000)) for name, member in members.items()}


def split_parameters(text):
    parts, depth, current = [], 0, ""
    for character in text + ",":
        if character == "," and depth == 0:
            parts.append(" ".join(current.split()))
            current = ""
        else:
            depth += (character == "(") - (character == ")")
            current += character
    return parts


def named_parameter(text, name):
    callback = re.match(r"(.*\(\s*\*\s*)\w*(\s*\)\s*\(.*\))$", text)
    if callback:
        return callback.group(1) + name + callback.group(2)
    text = re.sub(r"\[\]$", "", text) + ("*" if text.endswith("[]") else "")
    last = re.match(r"^(.*[\s*])(\w+)$", text)
    if last and last.group(2) not in TYPE_WORDS and not last.group(2).startswith("sqlite3"):
        text = last.group(1).rstrip()
    text = re.sub(r"(?<=\w)\*", " *", text)
    return text + ("" if text.endswith("*") else " ") + name


def forwarder(name, member, sqlite_header):
    prototype = re.search(
        r"SQLITE_API\s+(?:SQLITE_DEPRECATED\s+|SQLITE_EXPERIMENTAL\s+)?([\w ]+?[\s*]+)" + name
        + r"\s*\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)\s*;", sqlite_header)
    if not prototype:
        sys.exit(f"{name}: no prototype in sqlite3.h")
    result = " ".join(prototype.group(1).split())
    parameters = split_parameters(prototype.group(2))
    if "..." in parameters:
        if name not in VARIADIC:
            sys.exit(f"{name} is variadic: write it by hand in VARIADIC of this script, or do not call it")
        return VARIADIC[name]
    if parameters == ["void"]:
        declared, passed = ["void"], []
    else:
        passed = [f"a{i}" for i in range(len(parameters))]
        declared = [named_parameter(text, name) for text, name in zip(parameters, passed)]
    separator = "" if result.endswith("*") else " "
    keyword = "" if result == "void" else "return "
    return (f"{result}{separator}{name}({', '.join(declared)}) {{\n"
            f"  {keyword}vidx_sqlite->{member}({', '.join(passed)});\n}}")


def generate(include):
    sqlite_header = re.sub(r"/\*.*?\*/", "", header("sqlite3.h", include), flags=re.S)
    table = routines(header("sqlite3ext.h", include))
    types = set(re.findall(r"typedef[^;]*?\b(sqlite3_\w+)\s*;", sqlite_header))
    used = used_functions(table, types)
    minimum = max(table[name][1] for name in used)
    lines = [
        "/* Written by scripts/generate-forwarders.py; do not edit. The SQLite functions that VidxSQLite calls,",
        " * forwarded through the table of routines of the SQLite that loaded the extension (CVidxExtension.c). */",
        "#include <stdarg.h>",
        "#include <stddef.h>",
        "",
        "#include <sqlite3ext.h>",
        "",
        "#pragma GCC visibility push(hidden)",
        "",
        "/* The table; set once, before anything here is called. */",
        "const sqlite3_api_routines *vidx_sqlite;",
        "",
        "/* The first version of SQLite whose table has all of these. */",
        f"const int vidx_sqlite_minimum = {minimum};",
    ]
    for name in used:
        lines += ["", f"#undef {name}", forwarder(name, table[name][0], sqlite_header)]
    lines += ["", "#pragma GCC visibility pop", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--include", default="/usr/include", help="folder of sqlite3.h and sqlite3ext.h")
    options = parser.parse_args()
    text = generate(options.include)
    if not options.check:
        OUTPUT.write_text(text)
    elif not OUTPUT.exists() or OUTPUT.read_text() != text:
        sys.exit(f"{OUTPUT.relative_to(ROOT)} is out of date: run scripts/generate-forwarders.py and commit it")


if __name__ == "__main__":
    main()
