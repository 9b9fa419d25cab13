"""The house's own promises: generated = exported, arrows down, everything in place. Each is seen to fail once."""

import ast
import configparser
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

TOP = {
    "nbs", "conf", "src", "data", "docs", "notebooks_out", "mlruns", "tests", "benchmarks", "settings.ini",
    "pyproject.toml", "README.md", "Makefile", "LICENSE", "requirements.lock", ".ci", ".gitignore", ".gitattributes",
    ".telemetry",
}  # fmt: skip

LINT = "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command as lint; lint()"


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess:
    bin_dir = Path(sys.executable).parent
    return subprocess.run([str(bin_dir / command[0]), *command[1:]], cwd=cwd, capture_output=True, text=True)


def library_notebooks(root: Path) -> list[Path]:
    return sorted(p for p in (root / "nbs").glob("*.ipynb"))


def source(path: Path) -> str:
    cells = json.loads(path.read_text())["cells"]
    return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")


@pytest.fixture
def copy(root, tmp_path) -> Path:
    """The sources of the library, away from the working tree."""
    for name in ("nbs", "settings.ini", "pyproject.toml"):
        origin = root / name
        (shutil.copytree if origin.is_dir() else shutil.copy)(origin, tmp_path / name)
    shutil.copytree(root / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def stale(copy: Path) -> list[str]:
    """Files of src/smclab that an export would change, add or leave orphaned."""
    before = {p.name: p.read_text() for p in (copy / "src/smclab").glob("*.py")}
    shutil.rmtree(copy / "src/smclab")
    (copy / "src/smclab").mkdir()
    done = run("nbdev_export", cwd=copy)
    assert done.returncode == 0, done.stderr
    after = {p.name: p.read_text() for p in (copy / "src/smclab").glob("*.py")}
    return sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))


def test_package_is_what_the_notebooks_export(copy):
    assert stale(copy) == []


def test_package_edited_by_hand_is_noticed(copy):
    module = copy / "src/smclab/zones.py"
    module.write_text(module.read_text().replace("Touched", "touched") + "\nedited = True\n")
    (copy / "src/smclab/orphan.py").write_text("left = 'behind'\n")
    assert stale(copy) == ["orphan.py", "zones.py"]


def test_notebooks_are_clean(root, copy):
    before = {p: p.read_text() for p in sorted((copy / "nbs").rglob("*.ipynb"))}
    assert run("nbdev_clean", cwd=copy).returncode == 0
    assert [p.name for p, text in before.items() if p.read_text() != text] == []
    for path, text in before.items():
        nb = json.loads(text)
        assert nb["metadata"]["kernelspec"]["name"] == "python3", path.name
        assert not any(c.get("outputs") or c.get("execution_count") for c in nb["cells"]), path.name


def test_every_library_notebook_exports_the_room_it_is_named_for(root):
    for path in library_notebooks(root):
        room = "__init__" if path.stem == "index" else path.stem.split("_", 1)[1]
        assert re.findall(r"#\| *default_exp +(\S+)", source(path)) == [room], path.name
        assert re.search(r"#\| *exporti?\b", source(path)), f"{path.name} exports nothing"


def test_layers_contract_is_the_staircase_of_notebooks(root):
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(c["layers"] for c in contracts if c["type"] == "layers")
    rooms = [p.stem.split("_", 1)[1] for p in library_notebooks(root) if p.stem != "index"]
    assert layers == rooms[::-1]


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("candles", "from smclab import zones", "A room imports only from rooms with a smaller number"),
        ("tapes", "import smcdesk", "The Lab never imports the Desk"),
        ("reading", "import sqlite3", "The Lab knows no network"),
        ("setups", "from smclab import labels", "Nothing on the decision path imports labels or model"),
    ],
)
def test_an_arrow_that_points_up_is_caught(copy, module, line, broken):
    path = copy / f"src/smclab/{module}.py"
    path.write_text(path.read_text() + f"\n{line}\n")
    command = [
        "-c",
        "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command as c; c()",
    ]
    done = run("python", *command, "--no-cache", cwd=copy)
    assert done.returncode == 1 and re.search(rf"{broken}.* BROKEN", done.stdout), done.stdout + done.stderr


def test_top_level_holds_nothing_else(root):
    if not (root / ".git").exists():
        pytest.skip("not a git checkout, so there is no list of tracked files to look at")
    done = subprocess.run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True)
    assert {name.split("/")[0] for name in done.stdout.splitlines()} - TOP == set()


def test_version_stands_in_one_place(root):
    settings = configparser.ConfigParser()
    settings.read(root / "settings.ini")
    import smclab

    assert smclab.__version__ == settings["DEFAULT"]["version"]


def test_nbdev_keeps_papermills_tags(root):
    settings = configparser.ConfigParser()
    settings.read(root / "settings.ini")
    assert "tags" in settings["DEFAULT"]["allowed_cell_metadata_keys"].split()


def test_table_of_schemas_says_what_the_code_says(root):
    import dataclasses

    from smclab import account, candles, decision, events, execution, gates, policy, replay, setups, ticket

    def fields(cls):
        return {f.name: getattr(f.type, "__name__", str(f.type)).replace("|", "or") for f in dataclasses.fields(cls)}

    event = {c: "category" if "Categorical" in type(t).__name__ else str(t) for c, t in events.DTYPES.items()}
    code = {
        "Bars": {"time": "datetime64[ns, UTC]", **dict.fromkeys(candles.COLUMNS, "float64")},
        "Event": event, "Candidate": setups.TYPES, "Account": fields(account.Account), "Policy": fields(policy.Policy),
        "Context": fields(gates.Context), "Ticket": fields(ticket.Ticket), "Verdict": fields(gates.Verdict),
        "Decision": fields(decision.Decision), "Intent": execution.INTENT_DTYPES, "Order": replay._ORDER_DTYPES,
        "Fill": replay._FILL_DTYPES, "Trade": replay._TRADE_DTYPES, "Ledger": fields(replay.Ledger),
    }  # fmt: skip
    cells = json.loads((root / "nbs/index.ipynb").read_text())["cells"]
    prose = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    table = {}
    for schema, column, dtype in re.findall(r"^\| \**(\w+)\** \| [^|]* \| (\w+) \| ([^|]+) \|", prose, re.M):
        if schema != "schema":
            table.setdefault(schema, {})[column] = dtype.strip()
    assert table == {name: {c: str(t) for c, t in columns.items()} for name, columns in code.items()}


def pages(root: Path) -> list[Path]:
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def links(page: Path) -> list[Path]:
    """Files that a page's links and pictures point to; addresses on the web and headings are left out."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.S)
    found = re.findall(r"\]\(([^)\s#]+)[^)]*\)", prose)
    return [page.parent / to for to in found if not re.match(r"[a-z]+:", to)]


def dead_links(root: Path) -> list[str]:
    return [
        f"{page.name}: {to.relative_to(page.parent)}" for page in pages(root) for to in links(page) if not to.exists()
    ]


def unlinked(root: Path) -> list[str]:
    """Pages of docs to which no other page leads."""
    reached = {to.resolve() for page in pages(root) for to in links(page) if to.resolve() != page.resolve()}
    return [page.name for page in pages(root)[1:] if page.resolve() not in reached]


def test_docs_are_linked_and_their_links_lead_somewhere(root):
    assert dead_links(root) == []
    assert unlinked(root) == []


def test_a_dead_link_and_a_page_nobody_links_are_noticed(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text(
        "[words](docs/glossary.md) and [more](docs/gone.md#top), `[code](not/a/link.md)`"
    )
    (tmp_path / "docs/glossary.md").write_text(
        "[itself](glossary.md), [home](../README.md), [web](https://example.org/x)"
    )
    (tmp_path / "docs/orphan.md").write_text("[itself](orphan.md)")
    assert dead_links(tmp_path) == ["README.md: docs/gone.md"]
    assert unlinked(tmp_path) == ["orphan.md"]


def test_glossary_is_in_alphabetical_order_and_names_each_term_once(root):
    terms = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]* \| `[^|]+ \|$", (root / "docs/glossary.md").read_text(), re.M)
    keys = [re.sub(r"[^a-z0-9 ]", " ", term.lower()).split() for term in terms]
    assert len(terms) > 100 and keys == sorted(keys) and len(set(map(tuple, keys))) == len(keys)


def lost_imports(root: Path) -> list[str]:
    """Names of src that benchmarks import and that are not there; fallbacks to older names are left out."""
    out = []
    for path in sorted((root / "benchmarks").glob("*.py")):
        tree = ast.parse(path.read_text())
        older = {id(n) for t in ast.walk(tree) if isinstance(t, ast.ExceptHandler) for n in ast.walk(t)}
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or id(node) in older or not node.module.startswith("smc"):
                continue
            place = root / "src" / node.module.replace(".", "/")
            source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
            text = source.read_text() if source.exists() else ""
            out += [
                f"{path.name}: {node.module}.{name.name}"
                for name in node.names
                if not re.search(rf"\b{name.name}\b", text) and not (place / f"{name.name}.py").exists()
            ]
    return out


def test_benchmarks_import_what_is_there(root, tmp_path):
    assert lost_imports(root) == []
    for folder in ("benchmarks", "src/smclab"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "src/smclab/a.py").write_text("def f(): ...\n")
    (tmp_path / "benchmarks/b.py").write_text("from smclab.a import f, g\nfrom smclab.gone import h\n")
    assert lost_imports(tmp_path) == ["b.py: smclab.a.g", "b.py: smclab.gone.h"]
