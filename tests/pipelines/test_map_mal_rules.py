import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.map_mal_rules import main
from synth.rule_mapping import bindings


def test_a_mapping_is_proposed_reviewed_and_proposed_again(
    tiny_files: Any, tiny_config: Path, tmp_path: Path, invoke: Callable[..., Any]
) -> None:
    out = tmp_path / "out"
    given = ["--misconceptions", tiny_files.misconceptions, "--output", out, "--config", tiny_config, "--top", 2]
    done = invoke(main, *given)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((out / "mapping.csv").open(encoding="utf-8")))
    assert {(row["task"], row["rule"]) for row in rows} == set(bindings())
    # the sample's 200 rules bear their own names, and three of its other entries those of further rules
    assert "(203 known to the reviewed mapping)" in done.stdout
    assert {row["keep"] for row in rows} == {"yes", "no"}
    changed = rows[0]["keep"]
    text = (out / "mapping.csv").read_text(encoding="utf-8").splitlines()
    text[1] = text[1].replace(f",{changed},", f",{'no' if changed == 'yes' else 'yes'},")
    (out / "mapping.csv").write_text("\n".join(text) + "\n", encoding="utf-8")
    again = invoke(main, *given)
    assert again.returncode == 0, again.stderr
    assert (out / "mapping.csv").read_text(encoding="utf-8") == "\n".join(text) + "\n"
    assert f"({len(rows)} lines decided before)" in again.stdout


def test_bad_input_is_told_at_once(tiny_files: Any, tmp_path: Path, invoke: Callable[..., Any]) -> None:
    done = invoke(
        main,
        "--misconceptions",
        tmp_path / "none.csv",
        "--output",
        tmp_path / "out",
        "--top",
        0,
        "--retriever",
        tmp_path / "no-model",
    )
    assert done.returncode == 2
    assert "--top 0: expected at least 1" in done.stderr and "none.csv" in done.stderr
    assert not (tmp_path / "out").exists()
