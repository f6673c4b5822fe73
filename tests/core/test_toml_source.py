from pathlib import Path

import pytest

from core.toml_source import Location, Override, holds, lets_go, line_of, merged, parse_overrides, read_toml

TEXT = '''# a comment
name = "x"
text = """
[fake]
name = 3
"""

[train]
# about epochs
epochs = 3
sizes = [
  1,
  2,
]

[[steps]]
k = 1
[[steps]]
k = 2
[a.b]
"c d" = 1
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("name",), 2),
        (("text",), 3),
        (("fake",), None),
        (("train",), 8),
        (("train", "epochs"), 10),
        (("train", "sizes"), 11),
        (("train", "sizes", 1), 11),
        (("steps", 1, "k"), 19),
        (("a", "b", "c d"), 21),
        (("train", "lr"), None),
    ],
)
def test_the_line_of_a_key(place: Location, line: int | None) -> None:
    assert line_of(TEXT, place) == line


def test_holds_walks_tables_and_lists() -> None:
    data = {"a": [{"b": 1}], "3": 0}
    assert holds(data, ("a", 0, "b"))
    assert holds(data, (3,))
    assert not holds(data, ("a", 1))
    assert not holds(data, ("a", "b"))
    assert not holds(data, ("a", 0, "b", "c"))


def test_tables_are_merged_and_lists_replaced() -> None:
    under = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    assert merged(under, {"a": {"y": [3], "z": 4}, "b": {"c": 1}}) == {"a": {"x": 1, "y": [3], "z": 4}, "b": {"c": 1}}
    assert under == {"a": {"x": 1, "y": [1, 2]}, "b": 1}


def test_bases_come_first_and_are_relative_to_their_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "low.toml").write_text("k = 1\n")
    (tmp_path / "middle.toml").write_text('base = "sub/low.toml"\nk = 2\n')
    (tmp_path / "top.toml").write_bytes(b'\xef\xbb\xbfbase = "middle.toml"\r\nk = 3\r\n')
    faults: list[str] = []
    assert [source.table for source in read_toml(tmp_path / "top.toml", faults)] == [{"k": 1}, {"k": 2}, {"k": 3}]
    assert faults == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\nb = x\n", "line 2"),
        ('base = "top.toml"\n', "a circle"),
        ('base = "tpo.toml"\n', "no such config file (did you mean 'top.toml'?)"),
        ("# c\nbase = 3\n", "line 2: base: expected the name of a TOML file, came 3"),
        ('a = "\xe9"\n', "expected UTF-8, came byte 0xe9 at offset 5"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "top.toml").write_bytes(text.encode("latin-1"))
    faults: list[str] = []
    read_toml(tmp_path / "top.toml", faults)
    (fault,) = faults
    assert expected in fault


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    faults: list[str] = []
    assert read_toml(tmp_path, faults) == []
    assert "cannot be read" in faults[0]


@pytest.mark.parametrize(
    ("text", "place", "value"),
    [
        ("a=3", ("a",), 3),
        ("a.b = 1e-4", ("a", "b"), 1e-4),
        ("a.0.c=true", ("a", 0, "c"), True),
        ('a."x.y"=[1, 2]', ("a", "x.y"), [1, 2]),
        ("a=bundled:mini", ("a",), "bundled:mini"),
        ("a=x=y", ("a",), "x=y"),
        ("a=null", ("a",), None),
        ("a=", ("a",), ""),
        ('a="3"', ("a",), "3"),
        ("a={b = 1}", ("a",), {"b": 1}),
        ("a=1\nb = 2", ("a",), "1\nb = 2"),
    ],
)
def test_overrides(text: str, place: Location, value: object) -> None:
    faults: list[str] = []
    assert parse_overrides([text], faults) == [
        Override(text=text, place=place, value=value, raw=text.partition("=")[2])
    ]
    assert faults == []


@pytest.mark.parametrize("text", ["a", "=3", "a b=3", "a\nb=3", ".a=1", "", "[t]\na=1"])
def test_overrides_without_a_key_are_faults(text: str) -> None:
    faults: list[str] = []
    assert parse_overrides([text], faults) == []
    assert faults == [f"override {text!r}: expected key=value, as in training.epochs=3"]


@pytest.mark.parametrize(
    ("over", "left"),
    [
        ({"model": "b"}, {"model": "b"}),
        ({"model": "a"}, {"model": "a", "revision": "1"}),
        ({"model": "b", "revision": "2"}, {"model": "b", "revision": "2"}),
        ({"revision": "2"}, {"model": "a", "revision": "2"}),
        ({"other": 1}, {"model": "a", "revision": "1", "other": 1}),
    ],
)
def test_another_model_loses_the_commit_of_the_one_below(over: dict[str, object], left: dict[str, object]) -> None:
    assert merged({"table": {"model": "a", "revision": "1"}}, {"table": over})["table"] == left


@pytest.mark.parametrize(
    ("overrides", "left"),
    [
        (["t.n.model=b"], {"model": "a", "n": {"model": "a"}}),
        (["t.n.model=a"], {"model": "a", "n": {"model": "a", "revision": "1"}}),
        (["t.n.model=b", "t.n.revision=2"], {"model": "a", "n": {"model": "a", "revision": "1"}}),
        (["t.m.model=b"], {"model": "a", "n": {"model": "a", "revision": "1"}}),
        (["t.n.0.model=b"], {"model": "a", "n": {"model": "a", "revision": "1"}}),
    ],
)
def test_an_override_of_a_model_lets_its_commit_go(overrides: list[str], left: dict[str, object]) -> None:
    data = {"t": {"model": "a", "n": {"model": "a", "revision": "1"}}}
    parsed = parse_overrides(overrides, [])
    lets_go(parsed[0], parsed, data)
    assert data == {"t": left}
