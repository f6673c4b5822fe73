from collections.abc import Callable

import pytest
from sentence_transformers import SentenceTransformer

from retrieval.freeze import freeze, thaw

Tiny = Callable[[], SentenceTransformer]


def trainable(model: SentenceTransformer) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_embeddings_alone(tiny: Tiny) -> None:
    model = tiny()
    everything = trainable(model)
    frozen = freeze(model, embeddings=True, trainable_layers=None)
    assert everything - trainable(model) == {name for name in everything if ".embeddings." in name}
    thaw(frozen)
    assert trainable(model) == everything


def test_the_last_layers_alone(tiny: Tiny) -> None:
    model = tiny()
    freeze(model, embeddings=False, trainable_layers=1)
    assert any("layer.1." in name for name in trainable(model))
    assert not any("layer.0." in name or "embeddings" in name for name in trainable(model))


def test_what_was_frozen_before_stays_frozen(tiny: Tiny) -> None:
    model = tiny()
    next(model.parameters()).requires_grad_(False)
    thaw(freeze(model, embeddings=True, trainable_layers=None))
    assert not next(model.parameters()).requires_grad


def test_a_wrong_number_of_layers_is_refused(tiny: Tiny) -> None:
    with pytest.raises(ValueError, match="the model has 2 layers"):
        freeze(tiny(), embeddings=False, trainable_layers=3)
    model = tiny()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(ValueError, match="nothing is left"):
        freeze(model, embeddings=False, trainable_layers=None)
