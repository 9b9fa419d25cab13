"""One vocabulary, the trade's: no private words, no two classes of one name, every package says what it is."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

PARTS = {"told", "said", "heard", "asked", "made", "kept", "lane", "crew", "shelf", "purse", "world"}  # of a name
WHOLE = {"met", "known", "here", "there"}  # as a name; known_at and known_close stay


def sources(root: Path) -> Iterator[tuple[str, str]]:
    """All code by hand: its file (or notebook and cell) and its text. The Lab's code is that of its notebooks."""
    for folder in ("src/smcdesk", "tests", "benchmarks"):
        for path in sorted((root / folder).rglob("*.py")):
            yield str(path.relative_to(root)), path.read_text()
    for path in sorted((root / "nbs").rglob("*.ipynb")):
        if "checkpoint" in path.name:
            continue
        for k, cell in enumerate(json.loads(path.read_text())["cells"]):
            if cell["cell_type"] == "code":
                text = re.sub(r"^[ \t]*[%!].*$", "", "".join(cell["source"]), flags=re.M)
                yield f"{path.relative_to(root)}[{k}]", text


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every identifier a writer chose, with its line; a test function's name is a sentence and left out."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not node.name.startswith("test_"):
                yield line, node.name
        elif isinstance(node, ast.Name):
            yield line, node.id
        elif isinstance(node, ast.Attribute):
            yield line, node.attr
        elif isinstance(node, ast.arg | ast.keyword):
            yield line, node.arg or ""
        elif isinstance(node, ast.alias):
            yield line, node.asname or node.name.rpartition(".")[2]
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            yield line, node.name or ""
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from ((line, name) for name in node.names)


def private(name: str) -> bool:
    """Whether a name uses a private word: whole or as a part, in snake_case or CamelCase."""
    if name.startswith("test_"):
        return False
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")
    return words in WHOLE or not PARTS.isdisjoint(words.split("_"))


def offenders(root: Path) -> list[str]:
    """file:line: name, for every private word."""
    return [
        f"{where}:{line}: {name}"
        for where, text in sources(root)
        for line, name in sorted(set(names(ast.parse(text, filename=where))))
        if private(name)
    ]


def twins(root: Path) -> dict[str, list[str]]:
    """Classes of src that share their name with another, with their places."""
    places: dict[str, list[str]] = {}
    for path in sorted((root / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(f"{path.relative_to(root)}:{node.lineno}")
    return {name: found for name, found in places.items() if len(found) > 1}


def unclear(path: Path) -> list[str]:
    """What is wrong with a package's __init__: the docstring, its words, code."""
    tree = ast.parse(path.read_text())
    text, out = ast.get_docstring(tree) or "", []
    if not 3 <= len(text.splitlines()) <= 8:
        out.append(f"{len(text.splitlines())} lines of docstring, not 3 to 8")
    if not (re.search(r"\b[Mm]ay import\b", text) and re.search(r"\b[Nn]ever\b", text)):
        out.append("does not say what it may import, and what never")
    out += [f"private word {word!r}" for word in re.findall(r"\w+", text) if word.lower() in PARTS | {"met"}]
    for node in tree.body[bool(text) :]:
        exports = isinstance(node, ast.Assign) and [ast.unparse(to) for to in node.targets] == ["__all__"]
        if not exports and not isinstance(node, ast.Import | ast.ImportFrom):
            out.append(f"code in line {node.lineno}")
    return out


def test_no_identifier_uses_a_private_word(root):
    found = offenders(root)
    assert not found, f"{len(found)} identifiers use a private word:\n" + "\n".join(found)


def test_private_words_are_caught_wherever_a_name_can_stand(tmp_path):
    code = """
        from x import y as told
        class KeptBars: ...
        def ask(world, *, n_said=1): return ask(world, n_said=2)
        def test_what_was_said_is_kept(): ...
        async def heard_by(): known.at = known_at
        for here, (there, _lane_) in met.shelf.items(): 'told', worldly, laneless
        try: pass
        except E as crew: pass
        match v:
            case {'k': asked}: pass
    """
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/a.py").write_text("\n".join(line[8:] for line in code.splitlines()))
    (tmp_path / "nbs").mkdir()
    cell = {"cell_type": "code", "source": ["%%time\n", "purse = 1\n", "!echo told"]}
    (tmp_path / "nbs/10_a.ipynb").write_text(json.dumps({"cells": [{"cell_type": "markdown", "source": "said"}, cell]}))
    assert offenders(tmp_path) == [
        "tests/a.py:2: told", "tests/a.py:3: KeptBars", "tests/a.py:4: n_said", "tests/a.py:4: world",
        "tests/a.py:6: heard_by", "tests/a.py:6: known", "tests/a.py:7: _lane_", "tests/a.py:7: here",
        "tests/a.py:7: met", "tests/a.py:7: shelf", "tests/a.py:7: there", "tests/a.py:9: crew", "tests/a.py:11: asked",
        "nbs/10_a.ipynb[1]:2: purse",
    ]  # fmt: skip


def test_every_class_has_a_name_of_its_own(root):
    assert twins(root) == {}


def test_two_classes_of_one_name_are_noticed(tmp_path):
    for package in ("smclab", "smcdesk"):
        (tmp_path / "src" / package).mkdir(parents=True)
        (tmp_path / "src" / package / "a.py").write_text(f"class Bar: ...\n\n\ndef f():\n    class Own{package}: ...\n")
    assert twins(tmp_path) == {"Bar": ["src/smcdesk/a.py:1", "src/smclab/a.py:1"]}


def test_every_package_of_the_desk_says_what_lives_there_and_holds_no_code(root):
    found = {str(p.parent.relative_to(root)): unclear(p) for p in sorted((root / "src/smcdesk").rglob("__init__.py"))}
    assert {package: wrong for package, wrong in found.items() if wrong} == {}


def test_an_unclear_package_is_noticed(tmp_path):
    page = tmp_path / "__init__.py"
    page.write_text('"""What was told.\n\nMay import project.\n"""\n\nfrom x import y\n\n__all__ = ["y"]\nz = y()\n')
    assert unclear(page) == ["does not say what it may import, and what never", "private word 'told'", "code in line 9"]
    page.write_text("")
    assert unclear(page) == ["0 lines of docstring, not 3 to 8", "does not say what it may import, and what never"]
