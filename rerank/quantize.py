"""Quantise a reranker's model on the task's own prompts: back ends behind one small protocol.

A back end is given a folder of plain weights and a file of calibration prompts, and leaves a folder. Those that need
packages of their own run in an environment of their own (`environments/NAME.txt`), as a process; nothing but folders
passes between. Whatever the tool leaves, the result has the model's own config, tokenizer and chat template.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from core.artifacts import atomic_path, write_json
from core.disk import full_disk_told
from rerank.environment_process import run_in_environment
from rerank.plain_quantizer import quantise_plainly
from rerank.settle import Dtype16, settle

if TYPE_CHECKING:
    pass

logger = logging.getLogger(__name__)

BackEnd = Literal[
    "llm-compressor-awq", "llm-compressor-gptq", "llm-compressor-fp8", "auto-round", "autoawq", "rtn", "fp8"
]


@dataclass(frozen=True, kw_only=True)
class BackEndFacts:
    """What is known of a back end before it is asked.

    Attributes:
        environment: NAME of `environments/NAME.txt`; None where nothing but this project is needed.
        package: The distribution that it runs, whose version is recorded.
        method: The tool's own method, for its job file.
        bits: Of a weight: 4 or 8.
        calibrates: Whether it reads prompts.
        offloads: Whether it keeps on disk what does not fit into memory.
        reads: What vLLM 0.24 calls the checkpoint's form.
    """

    environment: str | None
    package: str | None
    method: str
    bits: int
    calibrates: bool
    offloads: bool
    reads: str


_COMPRESSED = "compressed-tensors (pack-quantized)"
BACK_ENDS: Mapping[BackEnd, BackEndFacts] = {
    "llm-compressor-awq": BackEndFacts(
        environment="llmcompressor",
        package="llmcompressor",
        method="awq",
        bits=4,
        calibrates=True,
        offloads=True,
        reads=_COMPRESSED,
    ),
    "llm-compressor-gptq": BackEndFacts(
        environment="llmcompressor",
        package="llmcompressor",
        method="gptq",
        bits=4,
        calibrates=True,
        offloads=True,
        reads=_COMPRESSED,
    ),
    "llm-compressor-fp8": BackEndFacts(
        environment="llmcompressor",
        package="llmcompressor",
        method="fp8",
        bits=8,
        calibrates=False,
        offloads=True,
        reads="compressed-tensors (float-quantized)",
    ),
    "auto-round": BackEndFacts(
        environment="autoround",
        package="auto-round",
        method="auto-round",
        bits=4,
        calibrates=True,
        offloads=False,
        reads="awq (gemm)",
    ),
    "autoawq": BackEndFacts(
        environment="autoawq",
        package="autoawq",
        method="awq",
        bits=4,
        calibrates=True,
        offloads=False,
        reads="awq (gemm)",
    ),
    "rtn": BackEndFacts(
        environment=None, package=None, method="rtn", bits=4, calibrates=False, offloads=False, reads=_COMPRESSED
    ),
    "fp8": BackEndFacts(
        environment=None,
        package=None,
        method="fp8",
        bits=8,
        calibrates=False,
        offloads=False,
        reads="compressed-tensors (float-quantized)",
    ),
}


@dataclass(frozen=True, kw_only=True)
class QuantiseOptions:
    """How a model is quantised; each back end reads what it knows.

    Attributes:
        group_size: Neighbouring inputs that share a scale (4 bits).
        symmetric: Levels around 0 (llm-compressor, auto-round); AutoAWQ always keeps zero points.
        grid: Scales tried a layer (llm-compressor's AWQ).
        iterations: Steps in which auto-round learns to round, a block.
        batch: Its calibration pieces a step.
        clip: Whether AutoAWQ searches clipping values too.
        dtype: Of scales and of the weights left alone.
        seed: Of the back end's draws.
    """

    group_size: int = 128
    symmetric: bool = True
    grid: int = 20
    iterations: int = 200
    batch: int = 8
    clip: bool = True
    dtype: Dtype16 = "bfloat16"
    seed: int = 0


class Quantiser(Protocol):
    """Makes a quantised checkpoint of a model folder."""

    def quantise(self, model: Path, calibration: Path | None, output: Path, options: QuantiseOptions) -> None:
        """Write the checkpoint; the tool's own folder, not yet settled.

        Args:
            model: A folder with plain weights.
            calibration: JSON lines with `token_ids`; None where the back end reads none.
            output: The new folder; it does not exist yet.
            options: How.

        Raises:
            ModelError: It failed; says where the log is.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class PlainQuantiser:
    """Rounds without any other package; see `rerank.plain_quantizer`."""

    bits: int

    def quantise(self, model: Path, calibration: Path | None, output: Path, options: QuantiseOptions) -> None:
        """See `Quantiser.quantise`; no prompt is read."""
        size = options.group_size if self.bits == 4 else None
        quantise_plainly(model, output, group_size=size, dtype=options.dtype)


@dataclass(frozen=True, kw_only=True)
class EnvironmentQuantiser:
    """Runs a tool in an environment of its own.

    Attributes:
        python: That environment's interpreter.
        script: The file that runs there; its only argument is the job file.
        method: The tool's own method.
        log: Where its output goes.
    """

    python: Path
    script: Path
    method: str
    log: Path

    def quantise(self, model: Path, calibration: Path | None, output: Path, options: QuantiseOptions) -> None:
        """See `Quantiser.quantise`."""
        job = output.with_name("job.json")
        write_job(job, model=model, calibration=calibration, output=output, method=self.method, options=options)
        run_in_environment(self.python, self.script, job, log=self.log)


def write_job(
    path: Path, *, model: Path, calibration: Path | None, output: Path, method: str, options: QuantiseOptions
) -> None:
    """Write the job file that the scripts under `environments/` read: absolute paths, the method and the options."""
    told = {"model": str(model.absolute()), "output": str(output.absolute()), "method": method}
    write_json(path, {**told, "calibration": str(calibration.absolute()) if calibration else None, **asdict(options)})


def quantise(
    quantiser: Quantiser, model: Path, calibration: Path | None, output: Path, options: QuantiseOptions
) -> Path:
    """Quantise a model and settle the result, atomically.

    Args:
        quantiser: The back end.
        model: A folder with plain weights, tokenizer and config.
        calibration: Its prompts.
        output: The new folder; one that stands there is replaced.
        options: How.

    Returns:
        `output`: a checkpoint with the model's own config, tokenizer, chat template and generation config.

    Raises:
        ModelError: The back end failed, or left something else than a quantised model.
        InputError: The disk is full.
    """
    with full_disk_told(output), atomic_path(output) as temporary:
        raw = temporary.with_name("raw")
        quantiser.quantise(model, calibration, raw, options)
        settle(raw, model, temporary, dtype=options.dtype)
    return output


def open_quantiser(back_end: BackEnd, *, environments: Path, scripts: Path, log: Path) -> Quantiser:
    """Return a back end.

    Args:
        back_end: Its name.
        environments: The folder of the environments: NAME/bin/python.
        scripts: The folder of the scripts.
        log: Where the tool's output goes.
    """
    facts = BACK_ENDS[back_end]
    if facts.environment is None:
        return PlainQuantiser(bits=facts.bits)
    return EnvironmentQuantiser(
        python=environment_python(environments, facts.environment),
        script=script_of(scripts, facts.environment),
        method=facts.method,
        log=log,
    )


def environment_python(environments: Path, name: str) -> Path:
    """Return the interpreter of an environment."""
    return environments / name / "bin" / "python"


def script_of(scripts: Path, name: str) -> Path:
    """Return the script that runs in an environment."""
    return scripts / f"quantize_with_{name}.py"
