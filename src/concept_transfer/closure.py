"""Which code a job runs: a script's imports, theirs, and one digest of them all.

As a rule's parameter the digest makes jobs run again after an edit that Snakemake cannot see, if
it is an edit of code that they use.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path

HOUSE = "concept_transfer"

# Whole files take ten times as long to parse as their import statements.
IMPORT = re.compile(r"^[ \t]*((?:from|import)\b(?:[^\n(\\]|\\\n)*(?:\([^)]*\).*)?)", re.MULTILINE)
FOR_TYPES = re.compile(
    r"^([ \t]*)if (?:\w+\.)?TYPE_CHECKING:.*\n(?:\1[ \t]+.*\n|[ \t]*\n)*", re.MULTILINE
)


@cache
def digest(script: Path, *modules: str) -> str:
    """SHA-256 of a script, of modules by name, of all that they import and of its data files.

    What a `Registry` finds by name is no import, and its table of names is left out: a rule names
    the modules of the records that its jobs use (`Registry.modules`). Where the script lies makes
    no difference.
    """
    result = hashlib.sha256()
    for name, file in sorted({"": script, **closure(script, *modules)}.items()):
        result.update(name.encode() + b"\0" + _content_digest(file))
    return result.hexdigest()[:16]


def closure(script: Path, *modules: str) -> dict[str, Path]:
    """Module -> file, of the modules, of what they and the script import, and so on.

    Followed are imports of this library and of the distributions of the given modules, those
    within functions too, but not those for type checkers only. A module that uses
    `importlib.resources` brings the data files of its package (package/file -> file). The
    library's own ``__init__`` counts only where a name is imported from it: it holds the version,
    and a version is no reason to compute everything again.
    """
    houses = {HOUSE, *(module.partition(".")[0] for module in modules)}
    files: dict[str, Path] = {}
    waiting = [*modules, *_imports(script, "")]
    while waiting:
        module = waiting.pop()
        known = module in files or module.partition(".")[0] not in houses
        file = None if known else module_file(module)
        if file is None:
            continue
        files[module] = file
        parent, _, _ = module.rpartition(".")
        package = module if file.name == "__init__.py" else parent
        imports = _imports(file, package)
        waiting += [*imports, *([parent] if parent != HOUSE else [])]
        if "importlib.resources" in imports:
            files |= {f"{package}/{name}": data for name, data in _data_files(file.parent)}
    return files


@cache
def module_file(module: str) -> Path | None:
    """The source of a module; None where there is none (a name within a module, a namespace).

    Nothing is imported.
    """
    top, *parts = module.split(".")
    spec = find_spec(top) if top else None
    if spec is None:
        return None
    if spec.submodule_search_locations is None:
        return Path(spec.origin) if spec.has_location and spec.origin and not parts else None
    for folder in spec.submodule_search_locations:
        place = Path(folder, *parts)
        for file in (place / "__init__.py", place.with_name(f"{place.name}.py")):
            if file.is_file():
                return file
    return None


@cache
def _imports(file: Path, package: str) -> tuple[str, ...]:
    """Names of imported modules, and of what is imported from them, which may be modules too."""
    text = FOR_TYPES.sub("", file.read_text(encoding="utf-8")) if file.suffix == ".py" else ""
    return tuple(name for words in IMPORT.findall(text) for name in _imported(words, package))


def _imported(statement: str, package: str) -> Iterator[str]:
    try:
        nodes: Iterable[ast.stmt] = ast.parse(statement).body
    except SyntaxError:  # a line of prose that begins with "from"
        return
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = resolve_name("." * node.level + (node.module or ""), package)
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def _data_files(package: Path) -> Iterator[tuple[str, Path]]:
    """Files of a package that are no code, by their paths in it; other packages' are not its."""
    for path in package.iterdir():
        if path.is_dir() and not (path / "__init__.py").exists() and path.name != "__pycache__":
            yield from ((f"{path.name}/{name}", file) for name, file in _data_files(path))
        elif path.is_file() and path.suffix != ".py":
            yield path.name, path


@cache
def _content_digest(file: Path) -> bytes:
    content = file.read_bytes()
    return hashlib.sha256(_without_tables(content) if b"Registry(" in content else content).digest()


def _without_tables(source: bytes) -> bytes:
    """A module without the lines that make a `Registry`: another name in it changes no job."""
    lines: list[bytes] = source.splitlines(keepends=True)
    for node in ast.parse(source).body:
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        if isinstance(value, ast.Call) and ast.unparse(value.func) == "Registry":
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = b""
    return b"".join(lines)
