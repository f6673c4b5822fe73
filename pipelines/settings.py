"""Everything that can be set, with its default, its range and what it means.

One schema serves every pipeline: a pipeline reads the tables it needs. TOML files under `pipelines/configs/` override
these defaults, `--set table.key=value` overrides the files. Parts never see a config: pipelines hand them plain values.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.columns import EEDI, Columns
from core.config import StrictModel
from core.errors import did_you_mean
from pipelines.boosted_settings import BoostedTrainingSettings
from pipelines.engine_settings import EngineSettings
from pipelines.explaining_settings import ExplainingSettings
from pipelines.hint_settings import HintSettings, ReasonerTrainingSettings
from pipelines.lm_training_settings import LmTrainingSettings
from pipelines.quantization_settings import QuantizationSettings
from pipelines.reranker_settings import RerankerSettings, Share, not_in_a_cascade
from pipelines.synthesis_settings import SynthesisSettings
from pipelines.synthetic_settings import SyntheticSettings
from pipelines.training_settings import RerankerTrainingSettings, TrainingSettings, Weight

Cosine = Annotated[float, Field(ge=-1.0, lt=1.0)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
QueryField = Literal["construct", "subject", "question", "correct", "incorrect", "hint"]
QueryView = Annotated[tuple[QueryField, ...], Field(min_length=1)]


class SplitSettings(StrictModel):
    """The validation part that is held out of the training file."""

    validation_share: Annotated[float, Field(gt=0.0, lt=0.9)] = Field(
        0.2, description="Share of the training file's questions held out for fitting weights and for metrics."
    )
    unseen_share: Share | None = Field(
        None, description="Share of the validation queries whose label never occurs in training; null: as it falls."
    )
    seed: int = 0


class TextSettings(StrictModel):
    """How queries and misconceptions become text."""

    fields: tuple[QueryField, ...] = Field(
        ("construct", "subject", "question", "correct", "incorrect"), description="Query fields, in their order."
    )
    latex: Literal["keep", "simplify"] = Field(
        "simplify", description="'simplify' rewrites LaTeX as short plain text (fewer tokens), 'keep' leaves it."
    )
    instruction: str = Field("", description="Prefix of every query, for models that want one.")
    hint: Literal["off", "text", "view"] = Field(
        "text", description="Hints, where given: part of the query text, or embedded apart with scores added."
    )
    explanation: Literal["off", "text", "view"] = Field(
        "text", description="Explanations, where given: part of the misconception text, or embedded apart."
    )
    view_weight: Weight = Field(1.0, description="Weight of the extra views against the plain one (1.0).")

    @model_validator(mode="after")
    def _has_fields(self) -> "TextSettings":
        if len(set(self.fields)) != len(self.fields):
            raise ValueError("text.fields must name each field once")
        if not {"question", "correct", "incorrect"}.intersection(self.fields):
            # Construct, subject and hint may be missing in a row, and a text of nothing cannot be embedded.
            raise ValueError("text.fields must name at least one of question, correct, incorrect")
        return self


class RetrieverSettings(StrictModel):
    """The encoder of stage 1."""

    model: str = Field("bundled:all-MiniLM-L6-v2", description="bundled:NAME, a folder, or a hub id.")
    revision: str | None = Field(None, description="For a hub id: the 40-digit commit.")
    trust_remote_code: bool = Field(False, description="Run code that comes with the model. Think twice.")
    pooling: Literal["model", "mean", "cls", "last"] = Field(
        "model", description="For a bare transformer; 'last' is for decoders: their end-of-text token, appended."
    )
    base: str | None = Field(
        None, description="Where the base of an adapter folder lies; null: where the adapter says. It must be the same."
    )
    base_quantization: Literal["auto", "none", "nf4"] = Field(
        "auto", description="What the base of an adapter is held in: 16 bits, or 4 (NF4); auto: as it was trained."
    )
    query_prompt: str | None = Field(None, description="Put before every query; null: the model's own, if it has one.")
    document_prompt: str | None = Field(None, description="The same before every bank entry.")
    max_length: Annotated[int, Field(ge=8)] = Field(256, description="Longest text in tokens; the rest is cut.")
    batch_size: Annotated[int, Field(ge=1)] = 64
    device: str = "auto"
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    also: tuple[str, ...] = Field(
        (), description="Further encoders (bundled:NAME or folders), used as they are; embeddings are put side by side."
    )
    also_weight: Weight = Field(1.0, description="Weight of each of those against the retriever's 1.0.")
    devices: tuple[str, ...] = Field((), description="Several, e.g. ['cuda:0', 'cuda:1']: a process for each.")


class IndexSettings(StrictModel):
    """The faiss index."""

    kind: Literal["exact", "hnsw", "ivf"] = "exact"
    hnsw_m: Annotated[int, Field(ge=4)] = 32
    ef_construction: Annotated[int, Field(ge=8)] = 200
    ef_search: Annotated[int, Field(ge=8)] = 128
    ivf_lists: int | None = Field(None, ge=1, description="null: 2 × the square root of the bank's size.")
    ivf_probes: Annotated[int, Field(ge=1)] = 16


class NeighbourSettings(StrictModel):
    """The neighbour retriever: an entry scores by its most similar labelled training queries."""

    enabled: bool = Field(True, description="fusion.method learned looks at labelled examples in any case.")
    thresholds: tuple[Cosine, ...] = Field(
        (0.3, 0.5, 0.7), min_length=1, description="Thresholds tried on the inner split."
    )
    weights: tuple[Weight, ...] = Field(
        (0.0, 0.25, 0.5, 1.0, 2.0, 4.0), min_length=1, description="Weights tried; 0 is off."
    )


class LexicalSettings(StrictModel):
    """A retriever by word overlap fused in."""

    kind: Literal["bm25", "tfidf"] = Field("bm25", description="BM25 of words, or TF-IDF of runs of characters.")
    weights: tuple[Weight, ...] = Field(
        (0.0,), min_length=1, description="Weights tried on the inner split; (0.0,) is off."
    )


class FusionSettings(StrictModel):
    """How retrievers are fused, and for which share of unseen labels weights are fitted."""

    method: Literal["scores", "reciprocal_rank", "learned"] = Field(
        "scores",
        description="learned: by scores first; then a linear score, fitted on the inner split, of that sum, each "
        "retriever's own score, the base model's similarities in several views, and labelled examples.",
    )
    depth: Annotated[int, Field(ge=25)] = Field(3000, description="Entries of each retriever that enter the fusion.")
    unseen_share: Share | None = Field(
        None, description="Share of unseen labels that you expect; weights are fitted for it. null: the split's own."
    )
    views: tuple[QueryView, ...] = Field(
        (("construct", "subject"), ("question", "correct", "incorrect"), ("correct", "incorrect")),
        min_length=1,
        description="Of method learned: the fields of a query that the base model reads, one list a view.",
    )
    window: Annotated[int, Field(ge=25)] = Field(300, description="Of method learned: candidates that it scores.")
    penalty: Weight = Field(0.001, description="Of method learned: what long weights cost.")

    @model_validator(mode="after")
    def _views_are_distinct(self) -> Self:
        if len(set(self.views)) != len(self.views) or any(len(set(view)) != len(view) for view in self.views):
            raise ValueError(
                f"fusion.views {[list(view) for view in self.views]}: a view, or a field of one, occurs twice"
            )
        return self

    @property
    def learned(self) -> bool:
        """Whether a linear score is fitted over several channels."""
        return self.method == "learned"


class PriorSettings(StrictModel):
    """The prior for entries without a training example."""

    enabled: bool = True
    grid: tuple[Finite, ...] = (-1.0, -0.5, -0.25, -0.1, -0.05, 0.0, 0.05, 0.1, 0.25, 0.5, 1.0)


class Settings(StrictModel):
    """The whole config."""

    candidates: Annotated[int, Field(ge=25)] = Field(100, description="How many candidates stage 1 keeps a query.")
    threads: int | None = Field(None, ge=1, description="CPU threads; null: what the machine has.")
    columns: Columns = Field(EEDI, description="Names of the columns in your files.")
    split: SplitSettings = SplitSettings()
    text: TextSettings = TextSettings()
    retriever: RetrieverSettings = RetrieverSettings()
    training: TrainingSettings = TrainingSettings()
    index: IndexSettings = IndexSettings()
    neighbours: NeighbourSettings = NeighbourSettings()
    lexical: LexicalSettings = LexicalSettings()
    fusion: FusionSettings = FusionSettings()
    reranker: str = Field("identity", description="identity, KIND:MODEL, or the NAME of a [rerankers.NAME] table.")
    rerankers: dict[str, RerankerSettings] = Field(default_factory=dict)
    engines: dict[str, EngineSettings] = Field(default_factory=dict)
    reranker_training: RerankerTrainingSettings = RerankerTrainingSettings()
    boosted_training: BoostedTrainingSettings = BoostedTrainingSettings()
    lm_training: LmTrainingSettings = LmTrainingSettings()
    hints: HintSettings = HintSettings()
    reasoner_training: ReasonerTrainingSettings = ReasonerTrainingSettings()
    quantization: QuantizationSettings = QuantizationSettings()
    prior: PriorSettings = PriorSettings()
    synthesis: SynthesisSettings = SynthesisSettings()
    synthetic: SyntheticSettings = SyntheticSettings()
    explaining: ExplainingSettings = ExplainingSettings()
    zero_shot: bool = Field(True, description="Also measure the untrained model, side by side.")
    bootstrap: Annotated[int, Field(ge=100)] = Field(2000, description="Resamples of the bootstrap intervals.")

    @model_validator(mode="after")
    def _names_are_known(self) -> "Settings":
        faults = []
        for name, table in self.rerankers.items():
            if table.reads_language_model and table.engine not in self.engine_names:
                meant = did_you_mean(table.engine, self.engine_names)
                known = ", ".join(self.engine_names)
                faults.append(f"rerankers.{name}.engine: no table [engines.{table.engine}]{meant}; there is {known}")
            elif table.reads_language_model and self.engine(table.engine).kind == "endpoint":
                faults.append(f"rerankers.{name}.engine: an engine of kind endpoint writes texts and scores nothing")
            faults += [
                f"rerankers.{name}.stages: no table [rerankers.{stage.reranker}] that is no cascade"
                f"{did_you_mean(stage.reranker, self.rerankers)}"
                for stage in table.stages
                if stage.reranker not in self.rerankers or self.rerankers[stage.reranker].kind == "cascade"
            ]
            for place, stage in enumerate(table.stages):
                faults += not_in_a_cascade(stage.reranker, self.rerankers.get(stage.reranker), place=place)
            if table.kind != "identity" and table.candidates > self.candidates:
                faults.append(
                    f"rerankers.{name}.candidates is {table.candidates}, but stage 1 keeps {self.candidates}: raise "
                    "candidates"
                )
        for key in ("engine", "quantised_engine"):
            name = getattr(self.quantization, key)
            if name is not None and name not in self.engine_names:
                meant = did_you_mean(name, self.engine_names)
                known = ", ".join(self.engine_names)
                faults.append(f"quantization.{key}: no table [engines.{name}]{meant}; there is {known}")
        if faults:
            raise ValueError("; ".join(dict.fromkeys(faults)))
        return self

    @property
    def engine_names(self) -> tuple[str, ...]:
        """The engines that a reranker may name."""
        return tuple(dict.fromkeys(("transformers", *self.engines)))

    def engine(self, name: str) -> EngineSettings:
        """Return the settings of an engine: its table, or the defaults for `transformers`.

        Raises:
            KeyError: There is no such table.
        """
        return EngineSettings() if name == "transformers" and name not in self.engines else self.engines[name]
