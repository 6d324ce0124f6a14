#!/usr/bin/env python3
"""Reads the source tree and enforces the house rules.

    tests/lint/lint.py               all checks over this tree
    tests/lint/lint.py --root DIR    over another tree
    tests/lint/lint.py --self-test   shows that every check can fail

Prints each violation as path:line: [check] text, and at the end "lint: N passed, N failed", where N
counts checks. Exit status 1 if any failed.

Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

LINES_MAX = 600
FUNCTION_LINES_MAX = 70
CODE = {".cc", ".hpp", ".c", ".h"}
SKIPPED_FOLDERS = {"build", ".git", "LICENSES", "__pycache__"}
LONG_FUNCTIONS = "tests/lint/long_functions.txt"


class Tree:
    """The text files of a source tree, by path relative to its root."""

    def __init__(self, root):
        self.root = root
        self.files = {}
        for path in sorted(root.rglob("*")):
            parts = path.relative_to(root).parts
            if not path.is_file() or SKIPPED_FOLDERS & set(parts):
                continue
            try:
                self.files["/".join(parts)] = path.read_text(encoding="utf-8").splitlines()
            except UnicodeDecodeError:
                pass

    def below(self, *folders, suffixes=None):
        for name, lines in self.files.items():
            if folders and name.split("/")[0] not in folders:
                continue
            if suffixes is None or pathlib.PurePosixPath(name).suffix in suffixes:
                yield name, lines

    def code(self):
        return self.below("src", "include", "examples", "bench", "cli", "tests", suffixes=CODE)


def rooms(tree):
    """A room includes only what rooms.toml allows."""
    table = tomllib.loads("\n".join(tree.files.get("rooms.toml", [])))
    known = table.get("room", {})
    order = list(known)
    for index, room in enumerate(order):
        for named in known[room]["includes"]:
            # base and abi stand on the ground together.
            if named not in order[:index] and {named, room} != {"base", "abi"}:
                yield "rooms.toml", 1, f"room {room} names {named}, which does not stand above it"
    programs = table.get("program", {}).get("folders", [])
    for name, lines in tree.below("src", *programs, suffixes=CODE):
        parts = name.split("/")
        room = parts[1] if parts[0] == "src" else None
        if room is not None and room not in known:
            yield name, 1, f"room {room} is not in rooms.toml"
            continue
        for number, line in enumerate(lines, 1):
            found = re.match(r'\s*#\s*include\s*["<]([^">]+)[">]', line)
            if not found:
                continue
            target = found.group(1)
            first = target.split("/")[0]
            if room is None:
                if first in known and "/" in target:
                    yield name, number, f"a program includes {target}, which is not public"
            elif first == "agnocast":
                public = known[room].get("public", [])
                if "*" not in public and target not in public:
                    yield name, number, f"room {room} must not include {target}"
            elif "/" in target and first in known:
                if first != room and first not in known[room]["includes"]:
                    yield name, number, f"room {room} must not include room {first}"


def licences(tree):
    """Every source file says whose it is and under which licence."""
    for name, lines in tree.files.items():
        path = pathlib.PurePosixPath(name)
        script = bool(lines) and lines[0].startswith("#!")
        if not (path.suffix in CODE | {".cmake", ".py", ".toml"} or path.name == "CMakeLists.txt" or script):
            continue
        shared = name.startswith("kmod/") or path.suffix in CODE and name.startswith(("src/abi/", "src/ledger/"))
        wanted = "GPL-2.0-only OR MIT" if shared else "Apache-2.0"
        head = "\n".join(lines[:60])
        if "Copyright the Agnocast C++ authors" not in head:
            yield name, 1, "no line 'Copyright the Agnocast C++ authors'"
        found = re.search(r"SPDX-License-Identifier: (.*?)\s*(\*/|$)", head, re.MULTILINE)
        if not found:
            yield name, 1, "no line 'SPDX-License-Identifier: ...'"
        elif found.group(1) != wanted:
            yield name, 1, f"licence '{found.group(1)}', here it is '{wanted}'"


def functions(lines):
    """Line, name and length of each function whose brace stands alone in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{" and start is None:
            head = []
            for before in reversed(lines[max(0, number - 8) : number - 1]):
                if before == "" or before.startswith(("}", "#", "//", " *")) or before.endswith(";"):
                    break
                head.insert(0, before)
            text = " ".join(head)
            if head and not re.match(r"(template\s*<[^()]*>\s*)?(struct|class|enum|union|namespace|extern)\b", text):
                found = re.search(r"([~\w:]+)\s*\(\s*([\w]*)\s*,?\s*(\w*)", text)
                label = found.group(1) if found else text
                if found and label.startswith("TEST"):
                    label = f"{found.group(2)}.{found.group(3)}"
                start = (number, label)
        elif line.startswith("}") and start is not None:
            yield start[0], start[1], number - start[0] - 1
            start = None


def sizes(tree):
    """Files stay short; long functions are listed and may only shrink."""
    allowed = {}
    for line in tree.files.get(LONG_FUNCTIONS, []):
        if line and not line.startswith("#"):
            name, function, length = line.split()
            allowed[name, function] = int(length)
    long = {}
    for name, lines in tree.code():
        if len(lines) > LINES_MAX:
            yield name, LINES_MAX, f"{len(lines)} lines, at most {LINES_MAX} are allowed"
        for number, function, length in functions(lines):
            if length > FUNCTION_LINES_MAX:
                long[name, function] = length
                if length > allowed.get((name, function), FUNCTION_LINES_MAX):
                    yield name, number, f"{function} has {length} lines, {FUNCTION_LINES_MAX} are allowed"
    for name, function in allowed.keys() - long.keys():
        yield LONG_FUNCTIONS, 1, f"{name} {function} is short enough now: remove it from the list"


def marks(tree):
    """Nothing unfinished is left in the tree."""
    words = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")
    for name, lines in tree.files.items():
        for number, line in enumerate(lines, 1):
            if found := words.search(line):
                yield name, number, f"'{found.group(1)}': do it, or say in the documents what is not done"


def machine_paths(tree):
    """No path of the machine that somebody works on."""
    path = re.compile(r"(?<![\w.])/(?:work|root|home|Users)/[\w.]")
    for name, lines in tree.files.items():
        for number, line in enumerate(lines, 1):
            if path.search(line):
                yield name, number, "a path of one machine"


ORDERED = re.compile(
    r"\b(store_seq_cst|store_release|load_acquire|load_seq_cst|add_seq_cst)\s*\("
)
PAIRED = re.compile(r"\b[Pp]airs?\b|\([A-Z]\)")


def atomics(tree):
    """Orders have names, and every use says what it pairs with."""
    for name, lines in tree.below("src", suffixes=CODE):
        if name == "src/base/atomic.hpp":
            continue
        for number, line in enumerate(lines, 1):
            if re.search(r"\b(__ATOMIC_|__atomic_|__sync_)", line):
                yield name, number, "a bare atomic; src/base/atomic.hpp names the orders"
            code = line.split("//")[0]
            if name.startswith("src/base/") or not ORDERED.search(code):
                continue
            comments = [
                near[near.find("//") :] for near in lines[max(0, number - 4) : number] if "//" in near
            ]
            if not any(PAIRED.search(comment) for comment in comments):
                used = ORDERED.search(code).group(1)
                yield name, number, f"{used} does not say what it pairs with"


def locks(tree):
    """What malloc, a publish or a take may lock sleeps and inherits priority: os::ShortLock."""
    for name, lines in tree.below("src", suffixes=CODE):
        if name.startswith("src/os/short_lock") or name.endswith("_test.cc"):
            continue
        for number, line in enumerate(lines, 1):
            code = line.split("//")[0]
            if re.search(r"\bwhile\b.*(\bexchange\((true|1)\b|test_and_set)", code):
                yield name, number, "a lock that spins; see src/os/short_lock.hpp"
            if name.startswith(("src/heap/", "src/hook/")) and re.search(r"\bstd::\w*mutex\b|atomic_flag", code):
                yield name, number, "os::ShortLock is the lock here"


LOCK_NAME = re.compile(r'\bregistry_lock_name\s*\(|agnocast_registry\S*\.lock|"\.lock')
LOCK_OPENERS = {"src/memory/names.hpp", "src/registry/registry_lock.cc"}


def registry_lock(tree):
    """Nobody but RegistryLock opens the registry's lock: a close would drop it for the whole process."""
    for name, lines in tree.below("src", "include", "examples", "bench", "cli", suffixes=CODE):
        if name in LOCK_OPENERS or "_test." in name:
            continue
        for number, line in enumerate(lines, 1):
            code = line.split("//")[0]
            following = "\n".join(lines[number - 1 : number + 5])
            if LOCK_NAME.search(code) and re.search(r"\bf?open\w*\s*\(|stream\b", following):
                yield name, number, "opens the registry's lock, or seems to: only RegistryLock may"


def formatted(tree):
    """clang-format-14 has nothing to change."""
    tool = shutil.which("clang-format-14")
    if tool is None:
        print("lint: clang-format-14 is not here, the format is not checked")
        return
    names = [name for name, _ in tree.code()]
    if not names:
        return
    report = subprocess.run(
        [tool, "--style=file", "--dry-run", "-Werror", *names],
        cwd=tree.root, capture_output=True, text=True, check=False,
    )
    found = re.findall(r"^(.*?):(\d+):\d+: error: ", report.stderr, re.MULTILINE)
    for name, number in dict(reversed(found)).items():
        count = sum(1 for other, _ in found if other == name)
        yield name, int(number), f"clang-format-14 changes this and {count - 1} more places"
    if report.returncode != 0 and not found:
        yield ".clang-format", 1, report.stderr.strip()[:300]


def readme(tree):
    """The README shows the examples as they are."""
    lines = tree.files.get("README.md", [])
    for number, line in enumerate(lines, 1):
        found = re.fullmatch(r"<!-- (\S+) -->", line)
        if not found:
            continue
        if "```" not in lines[number + 1 :]:
            yield "README.md", number, "no code follows"
            continue
        shown = lines[number + 1 : lines.index("```", number + 1)]
        source = [code for code in tree.files.get(found.group(1), []) if "SPDX" not in code]
        if shown != source:
            yield "README.md", number, f"{found.group(1)} differs from what is shown here"


CHECKS = [
    rooms, licences, sizes, marks, machine_paths, atomics, locks, readme, registry_lock, formatted
]


def run(root, quiet=False):
    """The names of the checks that failed."""
    tree = Tree(root)
    failed = []
    for check in CHECKS:
        violations = sorted(check(tree))
        if violations:
            failed.append(check.__name__)
        if not quiet:
            for name, number, text in violations:
                print(f"{name}:{number}: [{check.__name__}] {text}")
            print(f"lint: {check.__name__}: " + (f"FAILED ({len(violations)})" if violations else "ok"))
    return failed


HEAD = "// Copyright the Agnocast C++ authors. SPDX-License-Identifier: Apache-2.0\n"
FLAWS = {
    rooms: {"src/heap/a.cc": HEAD + '#include "topic/ring.hpp"\n'},
    licences: {"src/ledger/a.c": HEAD},
    sizes: {"src/os/a.cc": HEAD + "int f()\n{\n" + "  g();\n" * 80 + "}\n"},
    marks: {"docs/a.md": "TO" + "DO\n"},
    machine_paths: {"docs/a.md": "see /" + "home/me\n"},
    atomics: {"src/topic/a.cc": HEAD + "void f() { store_release(word, 1); }\n"},
    locks: {"src/hook/a.cc": HEAD + "void f() { while (taken.exchange(true)) g(); }\n"},
    readme: {"README.md": "<!-- examples/a.cc -->\n```cpp\nint f();\n```\n"},
    registry_lock: {"cli/a.cc": HEAD + 'int f = open(registry_lock_name("/a"), 0);\n'},
    formatted: {"src/os/a.cc": HEAD + "int  f ( );\n"},
}


def self_test(root):
    """Each check must fail over a tree with its flaw, and no check over the tree without."""
    broken = 0
    for check in [None, *CHECKS]:
        with tempfile.TemporaryDirectory() as folder:
            tree = pathlib.Path(folder)
            for name in ("rooms.toml", ".clang-format"):
                shutil.copy(root / name, tree / name)
            for name, text in FLAWS.get(check, {}).items():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                (tree / name).write_text(text, encoding="utf-8")
            failed = run(tree, quiet=True)
            if check is formatted and shutil.which("clang-format-14") is None:
                continue
            wanted = [] if check is None else [check.__name__]
            if not set(wanted) <= set(failed) or (not wanted and failed):
                broken += 1
                print(f"lint: self-test: wanted {wanted}, got {failed}")
    print(f"lint: self-test: {'FAILED' if broken else 'ok'}")
    return broken


def main():
    arguments = argparse.ArgumentParser(description="Checks the source tree")
    arguments.add_argument("--root", type=pathlib.Path,
                           default=pathlib.Path(__file__).resolve().parents[2])
    arguments.add_argument("--self-test", action="store_true")
    options = arguments.parse_args()
    if options.self_test:
        return 1 if self_test(options.root) else 0
    failed = run(options.root)
    if self_test(options.root):
        failed.append("self_test")
    print(f"lint: {len(CHECKS) + 1 - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
