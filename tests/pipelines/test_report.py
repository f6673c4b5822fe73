from collections.abc import Callable
from pathlib import Path

import numpy as np

from core.records import Ranking
from eval.report import Section
from pipelines.job import Job
from pipelines.measures import measure
from pipelines.report import write_run_report


def test_the_report_shows_numbers_warnings_and_the_last_runs_queries(
    tiny_job: Callable[..., Job], tmp_path: Path
) -> None:
    job = tiny_job()
    queries = job.queries(job.test, labelled_only=True)
    ids = np.array([entry.id for entry in job.bank])
    rng = np.random.default_rng(0)
    first = [Ranking.from_scores(query.key, ids, rng.random(len(ids)), top=30) for query in queries]
    second = [Ranking.from_scores(ranking.key, ranking.ids, rng.random(30)) for ranking in first]
    runs = {"first": first, "last": second}
    found = measure(runs, queries, candidates="first", seen=frozenset(ids[:40].tolist()), resamples=100)

    def write(path: Path) -> bytes:
        write_run_report(
            path,
            found,
            job.bank,
            title="A <title>",
            provenance=[("Files", "a.csv")],
            warnings=[("questions that repeat", 3)],
            sections=[Section(title="More", html="<p>Further words</p>")],
        )
        return path.read_bytes()

    text = write(tmp_path / "report.html").decode()
    for word in ("A &lt;title&gt;", "a.csv", "questions that repeat", "Further words", "last"):
        assert word in text, word
    assert f"{found.runs[-1].evaluation.map25.value:.3f}" in text
    best = {entry.id: entry.name for entry in job.bank}[int(second[0].ids[0])]
    assert best.split()[0] in text
    assert "http://" not in text.replace("http://www.w3.org", "") and "https://" not in text
    assert write(tmp_path / "again.html").decode() == text
