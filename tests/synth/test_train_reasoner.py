"""Training a reasoner: it learns by heart, resumes exactly, and says what it left out."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hint_toys import question, write_toy_lm
from safetensors.torch import load_file

from core.chat_writer import TokenChatWriter
from core.errors import InputError
from core.lora import LoraPreset
from core.records import Query
from core.tokenizer import load_tokenizer
from core.training_state import save_state
from core.transformers_engine import TransformersEngine
from synth import train_reasoner as module
from synth.hint_prompt import HintPrompt, default_prompt
from synth.lessons import Lesson
from synth.train_reasoner import TrainedReasoner, train_reasoner

PROMPT = HintPrompt(system="", user="{question} {incorrect}")
ANSWERS = ("Writes it twice.", "Adds nothing.", "Forgets to carry.", "Doubles both.", "Counts back.", "Takes it away.")
LESSONS = [
    Lesson(key=f"{number}_B", messages=PROMPT.messages(Query(question=question(number), letter="B")), answer=answer)
    for number, answer in enumerate(ANSWERS)
]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    texts = [message.text for lesson in LESSONS for message in lesson.messages]
    return write_toy_lm(tmp_path_factory.mktemp("toy") / "lm", [*texts, *ANSWERS], width=64)


def train(toy: Path, output: Path, **changes: Any) -> TrainedReasoner:
    options: dict[str, Any] = {
        **{"method": "full", "epochs": 2, "batch_lessons": 2, "max_tokens": 200, "learning_rate": 3e-3},
        **{"device": "cpu", "precision": "float32", "show_progress": False, **changes},
    }
    return train_reasoner(toy, options.pop("lessons", LESSONS), output_dir=output, **options)


def said(base: Path, adapter: Path | None = None) -> list[str]:
    engine = TransformersEngine.load(base, adapter=adapter, device="cpu", dtype="float32")
    writer = TokenChatWriter(engine, load_tokenizer(base))
    chats = [lesson.messages for lesson in LESSONS]
    return [one.text for one in writer.write(chats, max_tokens=40, temperature=0.0, seed=0, schema=None)]


def test_it_learns_its_lessons_by_heart(toy: Path, tmp_path: Path) -> None:
    made = train(toy, tmp_path / "whole", epochs=40, held_out=LESSONS[:3])
    assert made.losses[-1] < 0.05 < 2 < made.losses[0]
    assert made.held_out_before is not None and made.held_out_after is not None
    assert made.held_out_after < 0.05 < 2 < made.held_out_before
    assert said(made.folder) == list(ANSWERS)  # it stops where the answer ends
    assert set(said(toy)).isdisjoint(ANSWERS)
    assert not (tmp_path / "whole.training").exists()


def test_an_adapter_learns_too(toy: Path, tmp_path: Path) -> None:
    shape = LoraPreset(rank=32, alpha=64, learning_rate=1e-2)
    made = train(toy, tmp_path / "adapter", method="lora", lora=shape, learning_rate=None, epochs=60, base_name="toy")
    assert (made.folder / "adapter_config.json").is_file()
    assert made.losses[-1] < made.losses[0] / 3
    assert sum(text in ANSWERS for text in said(toy, made.folder)) >= 4


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_a_killed_run_goes_on_with_the_same_weights(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(toy, tmp_path / "whole")
    kept = []

    def killed(*state: Any) -> None:
        save_state(*state)
        kept.append(1)
        if len(kept) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "save_state", killed)
        with pytest.raises(KeyboardInterrupt):
            train(toy, tmp_path / "killed", checkpoint_steps=1)
    assert (tmp_path / "killed.training" / "state.pt").is_file()
    assert not (tmp_path / "killed").exists()
    steps = []
    with monkeypatch.context() as patch:
        patch.setattr(module, "_apply", lambda *given, **named: (steps.append(1), apply(*given, **named)))
        again = train(toy, tmp_path / "killed", checkpoint_steps=1, micro_tokens=64)
    assert len(steps) == 4  # 2 of 6 were made before
    assert again.losses == pytest.approx(whole.losses, abs=1e-5)
    first, second = weights(whole.folder), weights(again.folder)
    assert all(torch.allclose(first[name], second[name], atol=1e-5) for name in first)


apply = module._apply


def test_other_lessons_start_afresh(toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "save_trained", lambda *given, **named: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train(toy, tmp_path / "out", epochs=1)
    assert (tmp_path / "out.training").is_dir()
    fewer = train(toy, tmp_path / "out", epochs=1, lessons=LESSONS[:4])
    assert fewer.losses == train(toy, tmp_path / "fresh", epochs=1, lessons=LESSONS[:4]).losses


def test_lessons_that_are_too_long_are_told(toy: Path, tmp_path: Path) -> None:
    query = Query(question=question(9, text="word " * 300), letter="B")
    long = Lesson(key="9_B", messages=PROMPT.messages(query), answer="x")
    made = train(toy, tmp_path / "out", epochs=1, lessons=[*LESSONS, long])
    assert (made.lessons, made.too_long) == (6, ("9_B",))
    with pytest.raises(InputError, match="none among 1: raise max_tokens"):
        train(toy, tmp_path / "none", lessons=[long])


@pytest.mark.parametrize("change", [{"epochs": 0}, {"warmup": 2.0}, {"precision": "float16"}, {"max_tokens": 0}])
def test_numbers_are_checked(toy: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        train(toy, tmp_path / "out", **change)


@pytest.mark.slow
def test_the_loss_of_a_real_model_falls(smollm2_folder: Path, tmp_path: Path) -> None:
    """SmolLM2, four steps of an adapter on a CPU: the very lessons are known better afterwards."""
    lessons = [
        Lesson(
            key=lesson.key,
            messages=default_prompt("plain").messages(Query(question=question(number), letter="B")),
            answer=lesson.answer,
        )
        for number, lesson in enumerate(LESSONS[:2])
    ]
    made = train(
        smollm2_folder,
        tmp_path / "adapter",
        method="lora",
        learning_rate=1e-3,
        epochs=4,
        lessons=lessons,
        held_out=lessons,
        max_tokens=400,
        warmup=0.0,
    )
    assert made.held_out_before is not None and made.held_out_after is not None
    assert made.held_out_after < made.held_out_before - 0.5
    assert made.losses[-1] < made.losses[0]
