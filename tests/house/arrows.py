"""Which import goes up, by room, rule and line: run by `make lint` before lint-imports, which also follows chains.

The rules are the contracts of pyproject.toml. Imports inside functions count as well.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

Import = tuple[str, str, str]  # importing module, imported module, file:line


def modules(root: Path) -> dict[str, Path]:
    """Every module of src by its dotted name."""
    found = {}
    for path in sorted((root / "src").rglob("*.py")):
        parts = path.relative_to(root / "src").with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def _targets(node: ast.AST, package: list[str], names: dict[str, Path]) -> list[str]:
    """The modules one statement imports: of `from a import b`, a.b where that is a module, else a."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    above = package[: len(package) - node.level + 1] if node.level else []
    base = ".".join([*above, *([node.module] if node.module else [])])
    return [full if (full := f"{base}.{alias.name}") in names else base for alias in node.names]


def imports(root: Path) -> Iterator[Import]:
    """Every import of src, in order of files and lines."""
    names = modules(root)
    for name, path in names.items():
        package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
        for node in ast.walk(ast.parse(path.read_text(), filename=str(path))):
            for target in dict.fromkeys(_targets(node, package, names)):
                yield name, target, f"{path.relative_to(root)}:{node.lineno}"


def contracts(root: Path) -> list[dict]:
    """The import contracts of pyproject.toml."""
    return tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]


def floors(contract: dict) -> list[list[str]]:
    """A layers contract's rooms from the top floor down; a reserved room stands in parentheses."""
    return [[room.strip() for room in layer.split("|")] for layer in contract["layers"]]


def _inside(name: str, packages: list[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _rule(contract: dict) -> str:
    """A contract's name as the end of a sentence."""
    rule = contract["name"].removeprefix("The Desk: ")
    return rule[0].lower() + rule[1:]


def _up(contract: dict, edges: list[Import], numbers: dict[str, str]) -> list[str]:
    """Imports of a layers contract that do not lead to a lower floor, and rooms that stand on none."""
    (package,) = contract["containers"]
    height = {room.strip("()"): -k for k, floor in enumerate(floors(contract)) for room in floor}
    ignored, out, homeless = contract.get("exhaustive_ignores", []), [], {}
    for source, target, where in edges:
        rooms = [name.split(".")[1] for name in (source, target) if name.startswith(f"{package}.")]
        if len(rooms) < 2 or rooms[0] == rooms[1] or set(rooms) & set(ignored):
            continue
        if missing := [room for room in rooms if room not in height]:
            homeless.setdefault(missing[0], where)
        elif height[rooms[0]] <= height[rooms[1]]:
            a, b = rooms
            stand = "stands below" if height[a] < height[b] else "stands beside"
            places = f"{numbers[a]} {stand} {numbers[b]}" if numbers.keys() >= {a, b} else f"{a} {stand} {b}"
            out.append(f"{package}.{a} may not import {package}.{b}: {_rule(contract)} ({places}); {where}")
    return out + [
        f"{package}.{room} stands on no floor: name it in pyproject.toml, contract {contract['name']!r}; {where}"
        for room, where in homeless.items()
    ]


def _forbidden(contract: dict, edges: list[Import]) -> list[str]:
    """Direct imports that a forbidden contract rules out."""
    ignored = [pair.split(" -> ") for pair in contract.get("ignore_imports", [])]
    return [
        f"{source} may not import {target}: {_rule(contract)}; {where}"
        for source, target, where in edges
        if _inside(source, contract["source_modules"]) and _inside(target, contract["forbidden_modules"])
        if not any(source == a and _inside(target, [b]) for a, b in ignored)
    ]


def circles(root: Path, package: str = "smcdesk") -> list[list[str]]:
    """Groups of modules that import each other in a circle."""
    to: dict[str, set[str]] = {}
    for source, target, _ in imports(root):
        if _inside(source, [package]) and _inside(target, [package]) and source != target:
            to.setdefault(source, set()).add(target)

    def reached(start: str) -> set[str]:
        seen, waiting = set(), [start]
        while waiting:
            fresh = to.get(waiting.pop(), set()) - seen
            seen |= fresh
            waiting += fresh
        return seen

    beyond = {name: reached(name) for name in to}
    groups = {tuple(sorted({name} | {n for n in r if name in beyond.get(n, ())})) for name, r in beyond.items()}
    return sorted(list(group) for group in groups if len(group) > 1)


def problems(root: Path) -> list[str]:
    """One sentence for each import that goes up and each circle."""
    edges = list(imports(root))
    stems = (path.stem.partition("_") for path in (root / "nbs").glob("*_*.ipynb"))
    numbers = {room: f"{number} {room}" for number, _, room in stems}
    out = []
    for contract in contracts(root):
        out += _up(contract, edges, numbers) if contract["type"] == "layers" else _forbidden(contract, edges)
    return out + [f"modules import each other in a circle: {', '.join(group)}" for group in circles(root)]


if __name__ == "__main__":
    if found := problems(Path.cwd()):
        sys.exit("\n".join(found))
