import csv
import json

import pytest

from pipelines.evaluate_retrieval import main


def data(tiny_files, tiny_config, output):
    paths = ["--train", tiny_files.train, "--misconceptions", tiny_files.misconceptions, "--output", output]
    return [str(part) for part in [*paths, "--config", tiny_config]]


def test_a_split_is_measured_beside_the_baselines(tiny_files, tiny_config, tmp_path, invoke):
    out = tmp_path / "out"
    done = invoke(main, *data(tiny_files, tiny_config, out), "--unseen", "0.3")
    assert done.returncode == 0, done.stderr
    numbers = json.loads((out / "metrics.json").read_text())
    assert [mean["run"] for mean in numbers["means"]] == ["BM25", "TF-IDF", "zero-shot", "trained retriever", "stage 1"]
    rows = list(csv.DictReader((out / "metrics.csv").open()))
    assert {row["run"] for row in rows} == {mean["run"] for mean in numbers["means"]}
    assert (out / "unseen-0.3" / "report.html").stat().st_size > 1000
    again = invoke(main, *data(tiny_files, tiny_config, out), "--unseen", "0.3")
    assert again.returncode == 0
    assert json.loads((out / "metrics.json").read_text()) == numbers


def test_one_fold_alone_gives_what_it_gives_among_the_others(tiny_files, tiny_config, tmp_path, invoke, tiny_model):
    given = ["--retriever", str(tiny_model)]
    both = invoke(main, *data(tiny_files, tiny_config, tmp_path / "both"), "--folds", "2", *given)
    assert both.returncode == 0, both.stderr
    assert "Mean of 2 folds" in both.stdout
    one = invoke(main, *data(tiny_files, tiny_config, tmp_path / "one"), "--folds", "2", "--only-fold", "1", *given)
    assert one.returncode == 0, one.stderr
    read = lambda name: json.loads((tmp_path / name / "metrics.json").read_text())["splits"]["fold1"]  # noqa: E731
    assert read("one") == read("both")
    assert not (tmp_path / "one" / "fold1" / "retriever").exists()  # a given model is measured as it is


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--unseen", "1.5"], "expected a share from 0 to 1"),
        (["--folds", "1"], "expected at least 2"),
        (["--folds", "3", "--only-fold", "3"], "expected 0 to 2"),
    ],
)
def test_a_wrong_option_stops_before_anything_is_written(options, message, tiny_files, tiny_config, tmp_path, invoke):
    done = invoke(main, *data(tiny_files, tiny_config, tmp_path / "out"), *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out").exists()
