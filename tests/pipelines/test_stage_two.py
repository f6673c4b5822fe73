import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.artifacts import write_manifest
from core.errors import ArtifactMismatchError, ConfigError, ModelError
from core.records import Misconception, Query, Ranking
from eval.splits import seen_labels
from pipelines.job import Job
from pipelines.plan import Plan, make_plan
from pipelines.reranker_settings import PromptSettings
from pipelines.settings import RerankerSettings, Settings
from pipelines.stage_two import (
    StageTwoWeights,
    apply_stage_two,
    check_reranker,
    check_reranker_texts,
    fit_stage_two,
    open_reranker,
    reranker_candidate_text,
    reranker_made_from,
    reranker_query_text,
    reranker_texts_hash,
    resolve_reranker,
    tempered_rankings,
)
from rerank.identity import IdentityReranker

CROSS = RerankerSettings(kind="cross-encoder", model="models/x")


@pytest.fixture
def job(tiny_job: Callable[..., Job]) -> Job:
    return tiny_job()


@pytest.fixture
def plan(job: Job) -> Plan:
    return make_plan(job, job.train)


@pytest.fixture(scope="module")
def cross_encoder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder folder with a random head."""
    import torch

    from rerank.cross_encoder import open_cross_encoder

    folder = tmp_path_factory.mktemp("cross") / "model"
    torch.manual_seed(0)
    model = open_cross_encoder(tiny_model, device="cpu", dtype=torch.float32, max_length=48)
    model.save_pretrained(str(folder), create_model_card=False)
    return folder


def ranked(key: str, ids: Sequence[int]) -> Ranking:
    return Ranking.from_scores(key, ids, -np.arange(len(ids), dtype=np.float64))


def misled(plan: Plan, bank: Sequence[Misconception]) -> tuple[list[Ranking], list[Ranking]]:
    """Stage 1 puts every truth at rank 10 of 10; the reranker puts it first."""
    first, second = [], []
    for query in plan.queries:
        others = [entry.id for entry in bank if entry.id not in query.labels][: 10 - len(query.labels)]
        first.append(ranked(query.key, [*others, *query.labels]))
        second.append(ranked(query.key, [*query.labels, *others]))
    return first, second


# --- SPECs


def test_a_spec_is_identity_a_kind_with_a_folder_or_a_table() -> None:
    table = RerankerSettings(kind="cross-encoder", model="models/y", candidates=7)
    settings = Settings(rerankers={"mine": table})
    assert resolve_reranker("identity", settings).kind == "identity"
    assert resolve_reranker("mine", settings) is table
    found = resolve_reranker("cross-encoder:models/x:y", settings)
    assert (found.kind, found.model, found.candidates) == ("cross-encoder", "models/x:y", 25)


@pytest.mark.parametrize(
    "spec", ["", "crossencoder:models/x", "cross-encoder:", "cross-encoder", ":models/x", "mime", "identity:x"]
)
def test_other_specs_are_refused_with_what_there_is(spec: str) -> None:
    settings = Settings(rerankers={"mine": CROSS})
    with pytest.raises(ConfigError, match=r"expected identity, KIND:MODEL_DIR with KIND one of .*cross-encoder.*mine"):
        resolve_reranker(spec, settings)


def test_a_slip_of_the_pen_gets_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="did you mean 'mine'"):
        resolve_reranker("mime", Settings(rerankers={"mine": CROSS}))


def test_a_model_that_is_not_there_or_is_no_cross_encoder_is_refused(
    tiny_model: Path, cross_encoder: Path, tmp_path: Path
) -> None:
    check_reranker("identity")(Settings())
    check_reranker(f"cross-encoder:{cross_encoder}")(Settings())
    with pytest.raises(ModelError, match="no such folder"):
        check_reranker(f"cross-encoder:{tmp_path / 'gone'}")(Settings())
    with pytest.raises(ModelError, match=r"is no cross-encoder .*BertModel"):
        check_reranker(f"cross-encoder:{tiny_model}")(Settings())


def test_the_config_itself_refuses_a_kind_without_a_model() -> None:
    with pytest.raises(ValueError, match="needs a model"):
        RerankerSettings(kind="cross-encoder")


# --- texts


def test_the_hint_stands_before_the_question(plan: Plan, tiny_job: Callable[..., Job]) -> None:
    query = replace(plan.queries[0], hint="forgets the sign")
    for mode in ("text", "view"):
        write = reranker_query_text(tiny_job(f"text.hint={mode}"))
        plain = write(replace(query, hint=None))
        assert "forgets the sign" not in plain
        assert "forgets the sign" in write(query).splitlines()[0]
        assert write(query).endswith(plain)  # the wrong answer still stands at the end, which is never cut
    off = reranker_query_text(tiny_job("text.hint=off"))
    assert "forgets the sign" not in off(query)


def test_a_candidate_is_its_name_alone(job: Job) -> None:
    entry = Misconception(id=1, name="adds both", explanation="a long story")
    assert reranker_candidate_text(job)(entry) == "adds both"


@pytest.mark.parametrize("change", ["text.latex=keep", "text.hint=view", 'text.fields=["question","incorrect"]'])
def test_other_texts_have_another_hash(job: Job, tiny_job: Callable[..., Job], change: str) -> None:
    other = tiny_job(change)
    assert reranker_texts_hash(other) != reranker_texts_hash(job)
    same = tiny_job("training.epochs=7")
    assert reranker_texts_hash(same) == reranker_texts_hash(job)


def test_a_model_trained_with_other_texts_is_refused_before_it_loads(
    job: Job, cross_encoder: Path, tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(cross_encoder, folder)
    chosen = CROSS.model_copy(update={"model": str(folder)})
    check_reranker_texts(job, chosen)  # nobody stated its texts
    write_manifest(folder, {"texts": "others"})
    with pytest.raises(ArtifactMismatchError, match="texts"):
        check_reranker_texts(job, chosen)
    with pytest.raises(ArtifactMismatchError, match="texts"):
        open_reranker(job, chosen)
    write_manifest(folder, {"texts": reranker_texts_hash(job), "kind": "cross-encoder"})
    check_reranker_texts(job, chosen)
    (folder / "manifest.json").write_text(json.dumps({"version": 3}), encoding="utf-8")
    check_reranker_texts(job, chosen)  # somebody else's manifest


def test_what_scores_depend_on(job: Job, cross_encoder: Path) -> None:
    chosen = CROSS.model_copy(update={"model": str(cross_encoder)})
    plain = reranker_made_from(job, chosen)
    assert plain["model_revision"].startswith("sha256:")
    assert reranker_made_from(job, chosen.model_copy(update={"candidates": 9})) != plain
    assert reranker_made_from(job, chosen.model_copy(update={"max_length": 9})) != plain
    assert reranker_made_from(job, chosen.model_copy(update={"batch_size": 9})) == plain  # changes no result


def test_the_identity_opens_without_a_model(job: Job) -> None:
    assert isinstance(open_reranker(job, resolve_reranker("identity", job.settings)), IdentityReranker)


def test_a_cross_encoder_opens_at_the_length_it_was_trained_with(job: Job, cross_encoder: Path) -> None:
    chosen = CROSS.model_copy(update={"model": str(cross_encoder)})
    opened: Any = open_reranker(job, chosen)
    assert opened.model.tokenizer.model_max_length == 48
    shorter: Any = open_reranker(job, chosen.model_copy(update={"max_length": 16}))
    assert shorter.model.tokenizer.model_max_length == 16


# --- weights


def test_weight_0_is_stage_one_and_weight_1_the_reranker() -> None:
    first, second = [ranked("1_A", [5, 3, 8, 1])], [ranked("1_A", [8, 5, 3])]
    nothing = StageTwoWeights(weight=0.0, prior=0.0, prior_gain=None)
    assert apply_stage_two(CROSS, first, second, nothing, seen=frozenset()) == first
    alone = apply_stage_two(CROSS, first, second, replace(nothing, weight=1.0), seen=frozenset())
    assert alone[0].ids.tolist() == [8, 5, 3, 1]  # what was not reranked keeps its place below
    identity = RerankerSettings()
    assert apply_stage_two(identity, first, second, replace(nothing, weight=1.0), seen=frozenset()) == first


def test_a_fused_score_worked_out_by_hand() -> None:
    """Stage 1: log 1, log 1/2; reranker: -2, -0.5; weight 0.5 gives -1 and -0.25 + log(1/2)/2."""
    first = [ranked("1_A", [5, 3])]
    second = [Ranking.from_scores("1_A", [5, 3], [-2.0, -0.5])]
    half = StageTwoWeights(weight=0.5, prior=0.0, prior_gain=None)
    fused = apply_stage_two(CROSS, first, second, half, seen=frozenset())[0]
    assert fused.ids.tolist() == [3, 5]
    assert fused.scores.tolist() == pytest.approx([-0.25 - np.log(2) / 2, -1.0])


def test_the_prior_lifts_entries_without_an_example() -> None:
    first = [ranked("1_A", [5, 3, 8])]
    lifted = StageTwoWeights(weight=0.0, prior=1.5, prior_gain=0.1)
    found = apply_stage_two(CROSS, first, first, lifted, seen=frozenset({5, 8}))
    assert found[0].ids.tolist() == [3, 5, 8]
    assert found[0].scores.tolist() == [0.5, 0.0, -2.0]


@pytest.mark.parametrize("half", [None, 0, 1])
def test_the_fit_trusts_a_reranker_that_is_right_and_leaves_one_that_is_wrong(
    job: Job, plan: Plan, half: int | None
) -> None:
    first, second = misled(plan, job.bank)
    off = job.settings.model_copy(update={"prior": job.settings.prior.model_copy(update={"enabled": False})})
    quiet = replace(job, settings=off)
    right = fit_stage_two(quiet, plan, CROSS, first, second, half=half, seen=frozenset())
    assert right.weight > 0.5 and right.prior == 0.0 and right.prior_gain is None
    wrong = fit_stage_two(quiet, plan, CROSS, second, first, half=half, seen=frozenset())
    assert wrong.weight == 0.0  # ties go to the smallest weight
    identity = fit_stage_two(quiet, plan, RerankerSettings(), first, second, half=half, seen=frozenset())
    assert identity.weight == 0.0


def test_a_half_is_fitted_on_its_own_rows_alone(job: Job, plan: Plan) -> None:
    """The reranker is right on half 0 and wrong on half 1: each half wants another weight."""
    first, second = misled(plan, job.bank)
    candidates = [a if half == 0 else b for a, b, half in zip(first, second, plan.half, strict=True)]
    reranked = [b if half == 0 else a for a, b, half in zip(first, second, plan.half, strict=True)]
    fitted = {
        half: fit_stage_two(job, plan, CROSS, candidates, reranked, half=half, seen=seen_labels(plan.fit))
        for half in (0, 1)
    }
    assert fitted[0].weight > 0.5
    assert fitted[1].weight == 0.0


def test_queries_of_the_plan_are_labelled(plan: Plan) -> None:
    assert all(isinstance(query, Query) and query.labels for query in plan.queries)
    assert set(plan.half) == {0, 1}


def test_a_candidate_alone_tells_nothing_of_none_of_these(job: Job, plan: Plan) -> None:
    """It was not asked about: a probability of 1 - 1 for "none of these" would pull the temperature to its edge."""
    chosen = RerankerSettings(kind="listwise", model="x", prompt=PromptSettings(none_label=True), weights=(1.0,))
    others = [id for id in range(10_000, 10_010) if id not in {label for q in plan.queries for label in q.labels}]
    generator = np.random.default_rng(0)
    full, lone = [], []
    for row, query in enumerate(plan.queries):
        logits = np.append(generator.normal(size=4) + np.array([1.0, 0.0, 0.0, 0.0]), 0.0)
        logprobs = logits - np.log(np.exp(logits).sum())
        full.append(Ranking.from_scores(query.key, [query.labels[0], *others[:3]], logprobs[:4]))
        # Every third list holds one candidate, which is not the truth: "none of these" would have been right.
        lone.append(Ranking.from_scores(query.key, others[:1], [0.0]) if row % 3 == 0 else full[-1])
    few = replace(
        plan,
        queries=tuple(query for row, query in enumerate(plan.queries) if row % 3),
        unseen=tuple(flag for row, flag in enumerate(plan.unseen) if row % 3),
        half=tuple(half for row, half in enumerate(plan.half) if row % 3),
    )
    kept = [ranking for row, ranking in enumerate(full) if row % 3]
    without = fit_stage_two(job, few, chosen, kept, kept, half=None, seen=seen_labels(plan.fit))
    found = fit_stage_two(job, plan, chosen, lone, lone, half=None, seen=seen_labels(plan.fit))
    assert found.temperature == without.temperature != 1.0
    assert tempered_rankings(chosen, lone, 3.0)[0] == lone[0]
    assert tempered_rankings(chosen, lone, 3.0)[1] != lone[1]
