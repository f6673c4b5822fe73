import re
import shutil
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from core.records import Misconception, Query, Question, Ranking, queries_of
from eval.budget import loss_budget
from eval.evaluation import compare, evaluate
from eval.examples import Examples
from eval.metrics import recall_curve, true_labels
from eval.report import Comparison, DataWarning, Report, RunResult, Section, render_report, write_report
from eval.subjects import map_by_subject

BANK = [
    Misconception(id=id, name="<script>document.title = 'HACKED'</script>" if id == 3 else f"Believes {id} & so")
    for id in range(40)
]
LONG = r"Find \( \frac{x^{2}+" + " + ".join(f"{n} \\times {n}" for n in range(60)) + r"}{\sqrt{2}} \) " + "w" * 300


def make_report(n: int = 30) -> Report:
    rng = np.random.default_rng(0)
    questions = [
        Question(
            id=id,
            text=LONG if id == 0 else f"Question {id} <img src=x onerror=\"document.title='HACKED'\"> \\( {id}^2 \\)",
            answers=("1", r"\( \frac{1}{2} \)", "</script>", r"\( \begin{array}{c}2 \\ 3\end{array} \)"),
            correct="A",
            labels=((), (int(rng.integers(40)),), (int(rng.integers(40)),), ()),
            construct="Square a number",
            subject=f"Subject {id % 25}",
        )
        for id in range(n)
    ]
    queries: list[Query] = queries_of(questions, labelled_only=True)
    labels = true_labels(questions)
    first = [Ranking.from_scores(query.key, range(40), rng.random(40)) for query in queries]
    second = [
        Ranking.from_scores(r.key, r.ids, r.scores + 0.7 * np.isin(r.ids, labels[r.key]) * rng.random()) for r in first
    ]
    seen = set(range(20))
    return Report(
        title="Report of <runs>",
        provenance=[("Data", "made & held-out"), ("Numbers", "validation part held out of the training file")],
        runs=[
            RunResult(name="zero-shot", evaluation=evaluate(first, labels, seen=seen, resamples=50)),
            RunResult(
                name="trained",
                evaluation=evaluate(second, labels, seen=seen, resamples=50),
                curve=recall_curve(second, labels, depth=40).tolist(),
            ),
        ],
        comparisons=[
            Comparison(first="trained", second="zero-shot", test=compare(second, first, labels, permutations=99))
        ],
        subjects=map_by_subject(queries, second, labels, resamples=20),
        budget=loss_budget(first, second, labels),
        warnings=[DataWarning(text="questions with two equal answers", count=1234)],
        examples=Examples(queries=queries, rankings=second, bank=BANK, seen=seen),
        sections=[Section(title="Bias & more", html="<p id='own'>own <b>html</b></p>")],
    )


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.scripts = 0
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts += tag == "script"
        self.links += [name for name, _ in attrs if name in ("src", "href", "onerror", "onload")]


def test_the_page_is_self_contained_and_inert() -> None:
    page = render_report(make_report())
    tags = _Tags()
    tags.feed(page)
    assert tags.scripts == 2  # the data and the page's own
    assert tags.links == []
    assert "://" not in page
    assert "Report of &lt;runs&gt;" in page
    assert "made &amp; held-out" in page
    assert "<p id='own'>own <b>html</b></p>" in page
    assert "Bias &amp; more" in page


def test_the_numbers_are_shown() -> None:
    report = make_report()
    page = render_report(report)
    for run in report.runs:
        measure = run.evaluation.map25
        assert f"{measure.value:.3f} <small>[{measure.low:.3f}, {measure.high:.3f}]</small>" in page
    assert "5 more subjects" in page
    assert "<b>1,234</b> × questions with two equal answers" in page
    assert report.budget is not None
    assert f"reached {report.budget.reached:.3f}" in page
    assert page.count("How to read this") == 9
    assert page == render_report(make_report())


def test_an_almost_empty_report_is_written(tmp_path: Path) -> None:
    write_report(tmp_path / "r.html", Report(title="Nothing yet", provenance=[]))
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Nothing yet" in page
    assert "<script" not in page


def chromium(page: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium on this machine: the look of the report is not tested")
    profile = folder / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
             "--disable-background-networking", "--disable-component-update", "--disable-sync",
             "--disable-dev-shm-usage", "--enable-logging=stderr", f"--user-data-dir={profile}"]  # fmt: skip
    return subprocess.run(
        [program, *flags, *arguments, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )


PROBE = """<script>
window.addEventListener("load", () => {
  const find = document.getElementById("find");
  const say = (name, value) => document.body.setAttribute("data-" + name, value);
  const root = document.documentElement;
  say("overflow", root.scrollWidth - root.clientWidth);
  say("rows", document.querySelectorAll("article.query").length);
  say("maths", Math.round(document.querySelector("article mfrac").getBoundingClientRect().height));
  document.getElementById("on").click();
  say("page", document.getElementById("place").textContent);
  find.value = "27_B square"; find.dispatchEvent(new Event("input"));
  say("found", document.getElementById("place").textContent);
  find.value = ""; const kind = document.getElementById("kind");
  kind.value = "unseen"; kind.dispatchEvent(new Event("change"));
  say("unseen", document.getElementById("place").textContent);
  say("title", document.title);
});
</script></body>"""


@pytest.mark.chromium
@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_works_in_a_browser(tmp_path: Path, width: int) -> None:
    report = make_report()
    page = tmp_path / "report.html"
    write_report(page, report)
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", PROBE), encoding="utf-8")
    done = chromium(page, tmp_path, f"--window-size={width},2000", "--dump-dom")
    assert "CONSOLE" not in done.stderr, done.stderr
    body = re.search(r'<body((?: data-\w+="[^"]*")+)>', done.stdout)
    assert body is not None, done.stdout[-2000:]
    told = {name: unescape(value) for name, value in re.findall(r'data-(\w+)="([^"]*)"', body[1])}
    unseen = report.runs[0].evaluation.unseen
    assert unseen is not None
    assert int(told.pop("maths")) > 20  # a fraction is taller than a line of letters
    assert told == {
        "overflow": "0",
        "rows": "10",
        "page": "page 2 of 6 (60 queries)",
        "found": "page 1 of 1 (1 query)",
        "unseen": f"page 1 of {-(-unseen.n // 10)} ({unseen.n} queries)",
        "title": "Report of <runs>",
    }


@pytest.mark.chromium
@pytest.mark.parametrize("width", [1280, 500])
def test_the_screenshot_shows_charts(tmp_path: Path, width: int) -> None:
    page, picture = tmp_path / "report.html", tmp_path / "report.png"
    write_report(page, make_report())
    chromium(page, tmp_path, f"--window-size={width},3200", f"--screenshot={picture}")
    colours = _colours(picture)
    assert len(colours) > 50
    assert {(0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00), (0x00, 0x9E, 0x73)} <= colours  # two runs and the budget's bar


def _colours(picture: Path) -> set[tuple[int, int, int]]:
    from matplotlib.image import imread

    pixels = np.rint(imread(picture)[:, :, :3] * 255).astype(int)
    packed = np.unique(pixels @ np.array([65536, 256, 1])).tolist()
    return {(value >> 16, value >> 8 & 255, value & 255) for value in packed}
