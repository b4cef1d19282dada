#!/usr/bin/env python3
"""Checks what swift format does not: sizes of files and functions, imports, marks of unfinished work, white space.

    scripts/check-sources.py          checks the tracked files; exit 1 when something is wrong
    scripts/check-sources.py --self   checks the checker on samples
"""

import ast
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

FILE_LINES = 600
FILE_LINES_ADVISED = 400
TEST_FILE_LINES = 800
FUNCTION_LINES = 60
LINE_LENGTH = 120

# The loadable extension carries its Swift runtime; with Foundation it doubles in size, and start-up pays for it.
FOUNDATION_ALLOWED = ("Sources/Vidx/", "Sources/VidxCLI/", "Tests/")
SYSTEM_MODULES = {"Darwin", "Dispatch", "Foundation", "FoundationEssentials", "Glibc", "Musl", "Swift",
                  "Synchronization", "Testing"}

SOURCES = {".swift", ".c", ".h", ".py", ".sh"}
TEXTS = SOURCES | {".md", ".yml", ".json", ""}
GENERATED = {"Sources/CVidxExtension/forwarders.c"}  # lint.sh has its generator check it
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


class Problems:
    def __init__(self):
        self.errors = []
        self.advice = []

    def error(self, path, line, text):
        self.errors.append(f"{path}:{line}: error: {text}")

    def advise(self, path, line, text):
        self.advice.append(f"{path}:{line}: warning: {text}")


def blank_out(text, language):
    """The text with comments and the contents of strings replaced by spaces; line breaks stay."""
    swift = language == ".swift"
    pattern = re.compile(
        r"//[^\n]*"
        r"|/\*"  # a Swift comment may hold others: its end is found below
        + (r'|(?P<hashes>#*)"""|(?P<more>#*)"' if swift else r'|"(?:\\.|[^"\\\n])*"' + r"|'(?:\\.|[^'\\\n])*'"),
        re.S,
    )
    out, position = [], 0
    while match := pattern.search(text, position):
        out.append(text[position : match.start()])
        start = match.start()
        end = match.end()
        if match.group().startswith("/*"):
            end = end_of_comment(text, end, nests=swift)
        elif swift and (match["hashes"] is not None or match["more"] is not None):
            end = end_of_swift_string(text, match)
        out.append("".join(c if c == "\n" else " " for c in text[start:end]))
        position = end
    out.append(text[position:])
    return "".join(out)


def end_of_comment(text, position, nests):
    depth = 1
    for match in re.compile(r"/\*|\*/").finditer(text, position):
        if match.group() == "*/":
            depth -= 1
        elif nests:
            depth += 1
        if depth == 0:
            return match.end()
    return len(text)


def end_of_swift_string(text, match):
    """Interpolations are passed over as part of the string."""
    is_long = match.group().endswith('"""')
    hashes = match.group("hashes") if is_long else match.group("more")
    close = ('"""' if is_long else '"') + hashes
    escape = "\\" + hashes
    position = match.end()
    while position < len(text):
        if text.startswith(close, position):
            return position + len(close)
        if text.startswith(escape + "(", position):
            position = end_of_interpolation(text, position + len(escape) + 1)
        elif text.startswith(escape, position):
            position += len(escape) + 1
        else:
            position += 1
    return position


def end_of_interpolation(text, position):
    depth = 1
    while position < len(text) and depth > 0:
        character = text[position]
        if character == '"':
            position = end_of_swift_string(text, re.compile(r'(?P<hashes>)"""|(?P<more>)"').match(text, position))
            continue
        depth += {"(": 1, ")": -1}.get(character, 0)
        position += 1
    return position


SWIFT_FUNCTION = re.compile(
    r"^[ \t]*(?:@\w+(?:\([^()\n]*\))?\s+|[a-z]+(?:\([a-z]+\))?[ \t]+)*?"
    r"(?:func\s+(?P<name>[^\s(<]+)|(?P<init>init)[?!]?\s*[(<]|(?P<deinit>deinit)\b|(?P<subscript>subscript)\s*[(<])",
    re.M,
)
C_FUNCTION = re.compile(r"^[A-Za-z_][^;{}#=]*?\b(?P<name>\w+)\s*\([^;{}]*\)\s*\{", re.M)


def functions(code, language):
    """(name, first line, line count) of each function; `code` is blanked out."""
    if language == ".swift":
        for match in SWIFT_FUNCTION.finditer(code):
            name = next(group for group in match.groups() if group)
            begin = code.index(name, match.start()) + len(name)
            if (brace := opening_brace(code, begin)) is not None:
                yield name, *span(code, match.start(), brace)
    elif language == ".c" or language == ".h":
        for match in C_FUNCTION.finditer(code):
            yield match["name"], *span(code, match.start(), match.end() - 1)


# A declaration goes on over a line break before and after these.
CONTINUES = re.compile(r"\s*(->|where\b|throws\b|async\b|rethrows\b|[{(:,&])")
UNFINISHED_LINE = re.compile(r"(->|\bwhere|[,&:])\s*$")


def opening_brace(code, position):
    """Where the body begins; None for a declaration without one, as in a protocol."""
    depth = 0
    while position < len(code):
        character = code[position]
        if depth == 0 and character == "{":
            return position
        if depth == 0 and character == "\n":
            line = code[code.rfind("\n", 0, position) + 1 : position]
            if not CONTINUES.match(code, position) and not UNFINISHED_LINE.search(line):
                return None
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(character, 0)
        if depth < 0:
            return None
        position += 1
    return None


def span(code, start, brace):
    depth, position = 0, brace
    while position < len(code):
        depth += {"{": 1, "}": -1}.get(code[position], 0)
        if depth == 0:
            break
        position += 1
    first = code.count("\n", 0, start) + 1
    return first, code.count("\n", 0, position) + 2 - first


def check_size(path, text, problems):
    lines = text.count("\n")
    limit = TEST_FILE_LINES if path.startswith("Tests/") else FILE_LINES
    if lines > limit:
        problems.error(path, 1, f"{lines} lines; at most {limit}")
    elif lines > FILE_LINES_ADVISED and not path.startswith("Tests/"):
        problems.advise(path, 1, f"{lines} lines; better at most {FILE_LINES_ADVISED}")


def check_functions(path, text, problems):
    suffix = pathlib.PurePath(path).suffix
    if suffix == ".py":
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            problems.error(path, error.lineno, f"does not compile: {error.msg}")
            return
        defined = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
        found = [(node.name, node.lineno, node.end_lineno + 1 - node.lineno) for node in defined]
    else:
        found = functions(blank_out(text, suffix), suffix)
    for name, line, count in found:
        if count > FUNCTION_LINES:
            problems.error(path, line, f"{name} has {count} lines; at most {FUNCTION_LINES}")


def check_lines(path, text, problems):
    suffix = pathlib.PurePath(path).suffix
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            problems.error(path, number, "white space at the end of the line")
        if suffix in SOURCES and "\t" in line:
            problems.error(path, number, "a tab")
        # swift format judges Swift code, and lets strings be long that it cannot break.
        is_judged = suffix in SOURCES and (suffix != ".swift" or line.lstrip().startswith("//"))
        if is_judged and len(line) > LINE_LENGTH and "https://" not in line:
            problems.error(path, number, f"{len(line)} characters; at most {LINE_LENGTH}")
        if UNFINISHED.search(line) and path != "scripts/check-sources.py":
            problems.error(path, number, "unfinished work; finish it, or say what is and why in plain words")
    if text and not text.endswith("\n"):
        problems.error(path, text.count("\n") + 1, "no line break at the end of the file")


IMPORT = re.compile(r"^\s*(?:@\w+(?:\(\w+\))?\s+)*(?:(?:public|package|internal|private)\s+)?import\s+"
    r"(?:(?:enum|struct|class|protocol|func|var|let|typealias)\s+)?(\w+)", re.M)


def check_imports(path, text, dependencies, problems):
    """Imports are declared in the manifest, where the arrows between the targets are."""
    folder = next((folder for folder in dependencies if path.startswith(folder + "/")), None)
    if folder is None:
        return
    code = blank_out(text, ".swift")
    for match in IMPORT.finditer(code):
        module, line = match[1], code.count("\n", 0, match.start(1)) + 1
        if module.startswith("Foundation") and not path.startswith(FOUNDATION_ALLOWED):
            problems.error(path, line, f"Foundation may be imported in {', '.join(FOUNDATION_ALLOWED)} only")
        if module not in SYSTEM_MODULES and module not in dependencies[folder]:
            problems.error(path, line, f"{module} is not among the dependencies of this target in Package.swift")


def target_dependencies():
    """The folder of each target, with the names of the targets it may import."""
    dump = subprocess.run(["swift", "package", "dump-package"], cwd=ROOT, check=True, capture_output=True, text=True)
    result = {}
    for target in json.loads(dump.stdout)["targets"]:
        folder = target.get("path") or ("Tests/" if target["type"] == "test" else "Sources/") + target["name"]
        result[folder] = {dependency["byName"][0] for dependency in target["dependencies"]}
    return result


def check(problems):
    # Untracked files too, unless they are ignored: a check before the commit should see what will be committed.
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            cwd=ROOT, check=True, capture_output=True, text=True).stdout
    dependencies = target_dependencies()
    for path in sorted(set(filter(None, listed.split("\0")))):
        file = ROOT / path
        suffix = file.suffix
        if suffix not in TEXTS or path in GENERATED or not file.is_file() or file.name == "LICENSE":
            continue
        text = file.read_text(encoding="utf-8")
        check_lines(path, text, problems)
        if suffix in SOURCES:
            check_size(path, text, problems)
        if suffix in {".swift", ".c", ".h", ".py"}:
            check_functions(path, text, problems)
        if suffix == ".swift":
            check_imports(path, text, dependencies, problems)


SWIFT_SAMPLE = '''
protocol P {
  func none(_ a: Int) -> Int
  init(x: Int)
}
struct S {
  @inline(__always) package static func one<T>(_ f: () -> Void = {}, _ s: String = "}\\(x["}"]!)") throws(E)
    -> [T] where T: P
  {
    /* } /* } */ */ // }
    let text = """
      } \\(a { "}" })
      """
  }
  init?(a: Int) { self.init(b: a) }
  deinit {
  }
}
'''
C_SAMPLE = """
static const int table[] = {
    1, 2,
};
/* } */ __attribute__((target("a{")))
static float one(const float *a,
                 int n) {
  if (n) { return '}'; }
  return 0;
}
"""


def check_self():
    found = list(functions(blank_out(SWIFT_SAMPLE, ".swift"), ".swift"))
    assert found == [("one", 7, 8), ("init", 15, 1), ("deinit", 16, 2)], found
    found = [(name, count) for name, _, count in functions(blank_out(C_SAMPLE, ".c"), ".c")]
    assert found == [("one", 5)] or found == [("one", 6)], found
    problems = Problems()
    check_functions("a.c", "int f(int a) {\n" + "a++;\n" * FUNCTION_LINES + "}\n", problems)
    check_lines("a.c", "\tint a; // " + "TO" + "DO \n", problems)
    check_imports("A/a.swift", "@testable import B\nimport Foundation\nimport C // import D\n", {"A": {"C"}}, problems)
    assert len(problems.errors) == 6, problems.errors


def main():
    problems = Problems()
    if sys.argv[1:] == ["--self"]:
        return check_self()
    check(problems)
    print("\n".join(problems.advice + problems.errors), end="\n" if problems.advice or problems.errors else "")
    sys.exit(1 if problems.errors else 0)


if __name__ == "__main__":
    main()
