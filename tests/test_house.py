"""What a stranger is promised: the README knows every file, nothing is large, nothing points at one machine."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES: list[str] = PROJECT["tool"]["setuptools"]["packages"]
ROOMS = ("core", "retrieval", "rerank", "synth", "eval", "pipelines")
LARGEST = 1 << 20
LONGEST = 300  # a file is split before it passes about 250 lines
# A path from the root of a disk, at the start of a text: a home, a work folder, a temporary one.
ABSOLUTE = re.compile(r"""["'`\s=(](/(?:home|root|work|tmp|mnt|data|Users|opt|var)/|[A-Z]:\\\\)""")


def kept_files() -> list[Path]:
    """Return the files that the repository keeps or would keep: tracked, or new and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return sorted({ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()})


def modules() -> list[Path]:
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py") if path.name != "__init__.py")


def tree_of_readme(text: str) -> dict[str, list[str]]:
    """Return what the README's file tree lists under each room: the first word of each deeper line."""
    listed: dict[str, list[str]] = {}
    room = None
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            words = line.strip(" │├└─").split()
            if not words:
                continue
            if line[:1].isalnum() or line[:1] == ".":
                room = words[0].rstrip("/") if words[0].endswith("/") else None
            elif room is not None:
                listed.setdefault(room, []).append(words[0])
    return listed


def test_the_tree_of_a_readme_is_understood() -> None:
    text = (
        "# x\n```\ncore/        ground floor\n  a.py       one\n  b.py       two\neval/\n  c.py\nREADME.md  me\n```\n"
    )
    assert tree_of_readme(text) == {"core": ["a.py", "b.py"], "eval": ["c.py"]}


@pytest.mark.parametrize("room", ROOMS)
def test_the_readme_lists_every_file_of_a_room_and_no_other(room: str) -> None:
    listed = tree_of_readme((ROOT / "README.md").read_text(encoding="utf-8")).get(room, [])
    there = [path.relative_to(ROOT / room) for path in modules() if path.is_relative_to(ROOT / room)]
    missing = {path.parts[0] + ("/" if len(path.parts) > 1 else "") for path in there} - set(listed)
    gone = {name for name in listed if name.endswith(".py")} - {path.name for path in there} - {"__init__.py"}
    assert (sorted(missing), sorted(gone)) == ([], [])


def test_the_packages_are_the_rooms() -> None:
    packages = {path.parent for room in ROOMS for path in (ROOT / room).rglob("__init__.py")}
    packages |= {path.parent for path in modules()}
    assert set(PACKAGES) == {package.relative_to(ROOT).as_posix().replace("/", ".") for package in packages}
    assert set(PROJECT["tool"]["mypy"]["packages"]) == set(ROOMS)


def test_no_file_is_large() -> None:
    assert [path.relative_to(ROOT) for path in kept_files() if path.stat().st_size > LARGEST] == []


def test_no_module_is_long() -> None:
    long = {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {name: lines for name, lines in long.items() if lines > LONGEST} == {}


def test_absolute_paths_are_seen() -> None:
    assert ABSOLUTE.search('Path("' + "/wo" + 'rk/x")')
    assert not ABSOLUTE.search("bilingual and/or work/tmp/x")


@pytest.mark.parametrize("suffix", [".py", ".toml", ".md", ".txt", "Makefile"])
def test_no_path_of_one_machine(suffix: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in kept_files()
        if path.name.endswith(suffix) and path.parent.name != "results"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if ABSOLUTE.search(line)
    ]
    assert found == []


def test_the_files_that_start_first_are_there() -> None:
    named = re.findall(
        r'^    "(\w+/test_\w+\.py)",$', (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"), re.M
    )
    assert named and [name for name in named if not (ROOT / "tests" / name).is_file()] == []


def test_tests_have_no_packages() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


@pytest.mark.parametrize(
    "path",
    [path for path in modules() if "def " in path.read_text(encoding="utf-8")],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_every_module_has_its_test(path: Path) -> None:
    room, *inner, name = path.relative_to(ROOT).parts
    own = ROOT / "tests" / Path(room, *inner) / f"test_{name}"
    shared = [ROOT / "tests" / room / f"test_{folder}.py" for folder in inner]  # a folder of one kind has one test
    assert any(test.is_file() for test in (own, *shared)), f"expected {own.relative_to(ROOT)}"
