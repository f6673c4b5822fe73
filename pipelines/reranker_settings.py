"""What can be set of a reranker: one `[rerankers.NAME]` table."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.config import StrictModel
from rerank.labels import ALPHABETS
from rerank.orders import OrderKind
from rerank.prompt_template import QUESTION_FIELDS, QuestionField

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Kind = Literal["identity", "boosted", "cross-encoder", "listwise", "pointwise", "cascade"]
FusionForm = Literal["rank", "score"]

MOST_LABELS = max(map(len, ALPHABETS.values()))
LANGUAGE_MODELS: tuple[Kind, ...] = ("listwise", "pointwise")
"""The kinds that read scores from a language model."""


class PromptSettings(StrictModel):
    """What a language model is shown."""

    instruction: str | None = Field(None, description="Replaces the built-in instruction; null: the built-in one.")
    fields: tuple[QuestionField, ...] = Field(QUESTION_FIELDS, description="What is told of the question.")
    subjects: str | None = Field(
        None, description="A CSV with SubjectId, Name, ParentId: the subject is then written with its parents."
    )
    with_explanations: bool = Field(False, description="Write candidates' explanations, where given; many more tokens.")
    with_hint: bool = Field(
        True, description="Write the query's hint (chain of thought of another model), where given."
    )
    none_label: bool = Field(False, description="Listwise: a last label, 'none of these', with its own probability.")
    examples: Annotated[int, Field(ge=0, le=16)] = Field(
        0, description="Solved examples before the question, drawn from the training part; the same for every query."
    )
    example_candidates: Annotated[int, Field(ge=2, le=20)] = Field(5, description="Candidates in such an example.")
    max_tokens: Annotated[int, Field(ge=64)] = Field(
        4096, description="Longest prompt in tokens; the middle of the question is cut, never a candidate."
    )
    alphabet: Literal["letters", "digits", "letters+digits"] = Field(
        "letters", description="Labels: A-Z a-z (52), 1-9 0 (10), or both (62)."
    )

    @model_validator(mode="after")
    def _tells_the_answer(self) -> Self:
        if len(set(self.fields)) != len(self.fields) or "incorrect" not in self.fields:
            raise ValueError("prompt.fields must name each field once, 'incorrect' among them")
        return self


class WindowSettings(StrictModel):
    """How more candidates are ranked than one prompt holds."""

    kind: Literal["none", "sliding", "overlapping"] = Field(
        "none", description="Sliding: from the bottom up, each reorders its stretch; overlapping: scores are averaged."
    )
    size: Annotated[int, Field(ge=2, le=MOST_LABELS)] = Field(20, description="Candidates a window.")
    stride: Annotated[int, Field(ge=1)] = Field(10, description="Places between two windows.")
    passes: Annotated[int, Field(ge=1, le=10)] = Field(1, description="Sliding: how often from bottom to top.")

    @model_validator(mode="after")
    def _overlap(self) -> Self:
        if self.stride > self.size:
            raise ValueError(f"windows.stride ({self.stride}) above windows.size ({self.size}) would leave gaps")
        if self.kind != "sliding" and self.passes > 1:
            raise ValueError(f"windows.passes is read by sliding windows only; kind is '{self.kind}'")
        return self


class AdaptiveSettings(StrictModel):
    """Whether further orders run for every query."""

    mode: Literal["off", "fitted", "share"] = Field(
        "off",
        description="off: all orders; fitted: further orders only below a margin fitted on the held-out part; share: "
        "for a stated share of queries none (for timing).",
    )
    tolerance: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.001, description="fitted: MAP@25 that may be lost on the held-out part against all orders."
    )
    skip_share: Share = Field(0.5, description="share: this share of queries is asked in the first order only.")


class CascadeStage(StrictModel):
    """One stage of a cascade: a reranker over a stretch of ranks."""

    reranker: str = Field(description="NAME of another [rerankers.NAME] table.")
    first: Annotated[int, Field(ge=1)] = Field(1, description="First rank it reorders.")
    last: Annotated[int, Field(ge=2)] = Field(description="Last rank it reorders.")
    weight: Share = Field(1.0, description="Its share against the order it was given; 1: its own order.")

    @model_validator(mode="after")
    def _holds_two(self) -> Self:
        if self.last <= self.first:
            raise ValueError(f"a cascade's stage needs last above first; came {self.first} to {self.last}")
        return self


class RerankerSettings(StrictModel):
    """One `[rerankers.NAME]` table."""

    kind: Kind = "identity"
    model: str | None = Field(
        None,
        description="boosted, cross-encoder: a folder made by pipelines/train_reranker.py. listwise, pointwise: "
        "bundled:NAME, a folder, or a hub id.",
    )
    revision: str | None = Field(
        None,
        description="For a hub id: the 40-digit commit. Beside a folder: you vouch that it is a copy of that commit, "
        "for an adapter that was trained on it.",
    )
    adapter: str | None = Field(None, description="A LoRA adapter's folder (pipelines/train_reranker.py), or null.")
    engine: str = Field("transformers", description="NAME of an [engines.NAME] table, or transformers.")
    candidates: Annotated[int, Field(ge=2)] = Field(25, description="How many of stage 1's candidates are reranked.")
    max_length: int | None = Field(None, ge=8, description="Tokens a pair is cut to; null: as the model was trained.")
    batch_size: Annotated[int, Field(ge=1)] = Field(128, description="cross-encoder: pairs a forward pass.")
    int8: bool = Field(
        False, description="cross-encoder, on a CPU: linear layers in 8 bits; about three times the speed."
    )
    batch_queries: Annotated[int, Field(ge=1)] = Field(
        64, description="Language models: queries handed to the engine at once; what a kill can lose."
    )
    orders: OrderKind = Field(
        "both", description="Orders of the candidates in the prompt; both: best first, best last."
    )
    order_count: Annotated[int, Field(ge=1, le=MOST_LABELS)] | None = Field(
        None, description="How many cyclic or random orders; null: all cyclic ones, 2 random ones."
    )
    order_seed: Annotated[int, Field(ge=0)] = 0
    average: Literal["log", "probability"] = Field("log", description="Orders are averaged in this space.")
    windows: WindowSettings = WindowSettings()
    adaptive: AdaptiveSettings = AdaptiveSettings()
    prompt: PromptSettings = PromptSettings()
    fit_temperature: bool = Field(
        True, description="Language models: fit a temperature on the held-out part, so that probabilities are honest."
    )
    describe: bool = Field(
        False, description="The model first writes the misconception it sees; stage 1 searches again with that text."
    )
    describe_extra: Annotated[int, Field(ge=1)] = Field(
        10, description="With describe: at most so many entries found by that search join the candidates."
    )
    bias_sample: Annotated[int, Field(ge=0)] = Field(
        64,
        description="listwise: queries scored once more for the bias report: in other company, and in a random order.",
    )
    stages: tuple[CascadeStage, ...] = Field((), description="cascade: its stages, in the order in which they run.")
    fusion: FusionForm = Field("rank", description="Stage 1 enters as log(1/rank), or as log-softmax.")
    weights: tuple[Share, ...] = Field(
        (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
        min_length=1,
        description="Weights of the reranker tried.",
    )

    @property
    def reads_language_model(self) -> bool:
        """Whether a language model's label scores are what it ranks by."""
        return self.kind in LANGUAGE_MODELS

    @property
    def order_total(self) -> int:
        """How many orders a query (or window) is asked in, adaptive orders left aside."""
        if self.kind != "listwise":
            return 1
        if self.orders in ("ascending", "descending"):
            return 1
        if self.orders == "both":
            return 2
        longest = self.candidates if self.windows.kind == "none" else min(self.candidates, self.windows.size)
        return self.order_count or (2 if self.orders == "random" else longest)

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        faults = [*self._missing(), *self._not_read(), *self._too_many()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _missing(self) -> list[str]:
        faults = []
        if self.kind in ("boosted", "cross-encoder", *LANGUAGE_MODELS) and not self.model:
            faults.append(f"a reranker of kind '{self.kind}' needs a model")
        if self.kind == "cascade" and not self.stages:
            faults.append("a reranker of kind 'cascade' needs stages")
        if self.order_count is not None and self.orders not in ("cyclic", "random"):
            faults.append(f"order_count is not read with orders '{self.orders}', only with cyclic and random")
        if self.kind == "pointwise" and self.prompt.none_label:
            faults.append("prompt.none_label is not read by a reranker of kind 'pointwise'")
        return faults

    def _not_read(self) -> list[str]:
        """Name what is set and would change nothing: a setting that is quietly ignored misleads."""
        return [
            f"'{key}' is not read by a reranker of kind '{self.kind}'"
            for key, kinds in _READ_BY.items()
            if self.kind not in kinds and getattr(self, key) != type(self).model_fields[key].default
        ]

    def _too_many(self) -> list[str]:
        if self.kind == "cascade":
            deepest = max((stage.last for stage in self.stages), default=0)
            told = f"a stage reorders ranks to {deepest}, but candidates is {self.candidates}: raise candidates"
            return [told] if deepest > self.candidates else []
        if self.kind != "listwise":
            return []
        capacity = len(ALPHABETS[self.prompt.alphabet]) - self.prompt.none_label
        widest = self.candidates + (self.describe_extra if self.describe else 0)
        faults = []
        if self.windows.kind == "none" and widest > capacity:
            faults.append(
                f"{widest} candidates, but there are {capacity} labels: set windows.kind, or fewer candidates"
            )
        if self.windows.kind != "none" and self.windows.size > capacity:
            faults.append(f"windows.size {self.windows.size}, but there are {capacity} labels")
        if self.windows.kind != "none" and self.adaptive.mode == "fitted":
            faults.append("adaptive.mode 'fitted' and windows do not go together: set one of them to off or none")
        if self.adaptive.mode != "off" and self.order_total < 2:
            faults.append(f"adaptive.mode '{self.adaptive.mode}' needs more than one order; orders is '{self.orders}'")
        return faults


_READ_BY: dict[str, tuple[Kind, ...]] = {
    "model": ("boosted", "cross-encoder", *LANGUAGE_MODELS),
    "revision": LANGUAGE_MODELS,
    "adapter": LANGUAGE_MODELS,
    "engine": LANGUAGE_MODELS,
    "max_length": ("cross-encoder",),
    "batch_size": ("cross-encoder",),
    "batch_queries": LANGUAGE_MODELS,
    "int8": ("cross-encoder",),
    "orders": ("listwise",),
    "order_count": ("listwise",),
    "order_seed": ("listwise",),
    "average": ("listwise",),
    "windows": ("listwise",),
    "adaptive": ("listwise",),
    "prompt": LANGUAGE_MODELS,
    "fit_temperature": LANGUAGE_MODELS,
    "describe": LANGUAGE_MODELS,
    "describe_extra": LANGUAGE_MODELS,
    "bias_sample": ("listwise",),
    "stages": ("cascade",),
}


def not_in_a_cascade(name: str, table: RerankerSettings | None, *, place: int = 0) -> list[str]:
    """Name what a stage of a cascade would quietly leave out."""
    if table is None:
        return []
    faults = []
    if table.kind == "boosted" and place > 0:
        faults.append(f"rerankers.{name}: kind 'boosted' reads stage 1's scores, so it must be a cascade's first stage")
    if table.adaptive.mode == "fitted":
        faults.append(f"rerankers.{name}.adaptive: nothing is fitted for a stage of a cascade; set mode to off")
    if table.describe:
        faults.append(f"rerankers.{name}.describe is not read where the table is a stage of a cascade")
    return faults
