"""What README and docs say of the house is what stands there: folders, rooms, floors, words, the example."""

import re
import subprocess
import sys
from pathlib import Path

import arrows
from test_house import TOP, library_notebooks


def rows(page: Path, heading: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    section = re.split(r"^## ", page.read_text(), flags=re.M)
    (text,) = (part for part in section if part.startswith(f"{heading}\n"))
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in cells] for cells in lines[2:]]


def bare(cell: str) -> str:
    return cell.strip("`")


def folders(root: Path) -> set[str]:
    """The folders of the top level, the packages in place of src."""
    top = {name for name in TOP if "." not in name and (root / name).is_dir()}
    packages = {f"src/{p.name}" for p in (root / "src").iterdir() if (p / "__init__.py").exists()}
    return top - {"src"} | packages


def described(page: Path) -> list[list[str]]:
    """The floors of the Desk as architecture.md has them, from the top down."""
    table: dict[int, list[str]] = {}
    for floor, room, *_ in rows(page, "The Desk's floors"):
        table.setdefault(int(floor), []).append(bare(room))
    assert list(table) == list(range(len(table), 0, -1))
    return list(table.values())


def built(root: Path) -> set[str]:
    """The rooms of the Desk that are there: packages, and modules beside them."""
    places = (root / "src/smcdesk").glob("*")
    return {p.stem for p in places if (p / "__init__.py").exists() or p.suffix == ".py"} - {"__init__", "served"}


def test_map_in_readme_is_the_folders(root):
    names = [bare(row[0]) for row in rows(root / "README.md", "Where things are")]
    assert sorted(names) == sorted(folders(root))


def test_readme_is_one_screen(root):
    assert len((root / "README.md").read_text().splitlines()) <= 80


def test_staircase_in_architecture_is_the_notebooks(root):
    table = [
        f"{number}_{bare(room)}" for number, room, *_ in rows(root / "docs/architecture.md", "The Lab's staircase")
    ]
    assert table == [path.stem for path in library_notebooks(root) if path.stem != "index"]


def test_floors_in_architecture_are_the_contract_and_the_packages(root):
    (contract,) = (c for c in arrows.contracts(root) if c.get("containers") == ["smcdesk"])
    floors = described(root / "docs/architecture.md")
    assert [sorted(floor) for floor in floors] == [sorted(floor) for floor in arrows.floors(contract)]
    assert {room for floor in floors for room in floor if not room.startswith("(")} == built(root)


def test_a_room_and_a_folder_nobody_describes_are_noticed(root, tmp_path):
    for name in ("docs", "src/smclab", "src/smcdesk/project", "src/smcdesk/attic"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("src/smclab", "src/smcdesk", "src/smcdesk/project", "src/smcdesk/attic"):
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "README.md").write_text("# x\n\n## Where things are\n\n| a | b |\n|---|---|\n| `docs` | pages |\n")
    page = tmp_path / "docs/architecture.md"
    page.write_text("## The Desk's floors\n\n| a | b |\n|---|---|\n| 2 | `(api)` | x |\n| 1 | `project` | y |\n")
    assert folders(tmp_path) - {bare(r[0]) for r in rows(tmp_path / "README.md", "Where things are")} == {
        "src/smclab", "src/smcdesk",
    }  # fmt: skip
    assert described(page) == [["(api)"], ["project"]] and built(tmp_path) == {"project", "attic"}


def absent(root: Path, text: str) -> list[str]:
    """Modules, notebooks and files that a text names in code and that are not there."""
    desk, out = root / "src/smcdesk", []
    rooms = {path.stem for path in library_notebooks(root)}
    for name in re.findall(r"`([^`\n]+)`", text):
        if re.fullmatch(r"[\w/]+\.(py|yml|md)", name):
            found = any((top / name).exists() for top in (root, desk))
        elif re.fullmatch(r"(conf|nbs|docs|tests|benchmarks|src)/[\w/]+", name):
            found = (root / name).exists()
        elif re.fullmatch(r"[a-z]+/", name):
            found = (root / name).exists() or (desk / name).exists()
        elif re.fullmatch(r"\d\d [a-z_]+", name):
            found = name.replace(" ", "_") in rooms
        elif re.fullmatch(rf"({'|'.join(built(root))})\.[a-z_]+(\.[a-z_]+)?", name):
            parts = name.split(".")
            found = (desk / f"{'/'.join(parts[:2])}.py").exists() and (
                len(parts) == 2
                or re.search(rf"^(def|class) {parts[2]}\b", (desk / parts[0] / f"{parts[1]}.py").read_text(), re.M)
            )
        else:
            continue
        if not found:
            out.append(name)
    return out


def test_places_the_docs_name_are_there(root):
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    assert {page.name: absent(root, page.read_text()) for page in pages} == {page.name: [] for page in pages}
    gone = ["conf/nowhere", "99 attic", "decisions.context.dreams", "store/attic.py"]
    present = ["conf/base", "20 structure", "decisions.context.bar_context", "store/models.py"]
    assert absent(root, " ".join(f"`{name}`" for name in gone + present)) == gone


def test_tables_of_the_store_are_all_in_architecture(root):
    from smcdesk.store.models import Base

    named = {
        name
        for row in rows(root / "docs/architecture.md", "Where results are stored")
        for name in re.findall(r"`(\w+)`", " ".join(row))
    }
    assert set(Base.metadata.tables) - named == set()


def test_glossary_names_rooms_that_exist_and_every_room_of_the_lab(root):
    rooms = {path.stem.split("_", 1)[1] for path in library_notebooks(root) if path.stem != "index"}
    lines = re.findall(r"^\| .*\| (`.*`) \|$", (root / "docs/glossary.md").read_text(), re.M)
    named = {room for line in lines for room in re.findall(r"`([\w.]+)`", line)}
    desk = {f"smcdesk.{room}" for room in built(root)}
    assert named - rooms - desk == set() and rooms - named == set()


def test_docs_do_not_tell_the_order_in_which_the_house_was_built(root):
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    ordinal = re.compile(
        r"\b(first|second|third|next|last|this|these|earlier|later|\w+th) (\w+ )?(parts?|turns?)\b|\bparts? \d", re.I
    )
    assert [m[0] for page in pages for m in ordinal.finditer(page.read_text())] == []
    assert ordinal.search("These are the first six parts: nothing") and ordinal.search("in part 7")


def test_example_in_readme_runs_as_pasted(root):
    (code,) = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(), re.S)
    assert len(code.splitlines()) <= 8
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "known_at" in done.stdout, done.stderr


def test_picture_in_readme_is_there(root):
    (picture,) = re.findall(r"^!\[[^\]]+\]\(([^)]+)\)", (root / "README.md").read_text(), re.M)
    assert (root / picture).stat().st_size > 10_000


def missing_commands(text: str) -> list[str]:
    """Commands in code spans and shell blocks of a page, `smcdesk verb [verb]`, that the command line does not have."""
    import typer

    from smcdesk.__main__ import app

    out = []
    for line in re.findall(r"(?:`|^)smcdesk ([a-z][^`\n]*)", text, re.M):
        command = typer.main.get_command(app)
        for word in line.split():
            verbs = getattr(command, "commands", None)
            if verbs is None:
                break
            if word not in verbs:
                out.append(line)
                break
            command = verbs[word]
    return out


def test_commands_the_docs_name_are_there(root):
    pages = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    assert [line for page in pages for line in missing_commands(page.read_text())] == []
    assert missing_commands("`smcdesk dream`, `smcdesk demo`, `smcdesk store lose all`") == ["dream", "store lose all"]
