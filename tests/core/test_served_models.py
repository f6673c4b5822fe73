import pytest

from core.errors import ModelError
from core.served_models import ServedModel, served_model


class Listing:
    """Plays the answer to GET /models."""

    def __init__(self, *models):
        self.models = list(models)

    def get(self, path):
        assert path == "models"
        return {"data": self.models}


def test_the_served_model_is_told_with_what_is_behind_its_name():
    base = {"id": "base", "root": "Qwen/Qwen2.5-32B", "parent": None, "created": 1}
    adapter = {"id": "listwise", "root": "/adapters/one", "parent": "base"}
    client = Listing(base, adapter)
    assert served_model(client, "server u", "base") == ServedModel(name="base", root="Qwen/Qwen2.5-32B")
    assert served_model(client, "server u", "listwise") == ServedModel(
        name="listwise", root="/adapters/one", parent="base"
    )
    assert served_model(Listing({"id": "x"}), "server u", None) == ServedModel(name="x")  # not vLLM: it does not say
    with pytest.raises(
        ModelError, match=r"server u: expected one model, or its name in served_model; there is base, listwise$"
    ):
        served_model(client, "server u", None)
    with pytest.raises(ModelError, match=r"does not serve 'gone'; there is base, listwise"):
        served_model(client, "server u", "gone")
    with pytest.raises(ModelError, match=r"expected one model.*there is none"):
        served_model(Listing(), "server u", None)
    with pytest.raises(ModelError, match="no list of models"):
        served_model(Listing("base"), "server u", None)


def test_a_long_list_is_told_in_part():
    client = Listing(*({"id": f"m{number}"} for number in range(9)))
    with pytest.raises(ModelError, match=r"there is m0, m1, m2, m3, m4, m5, m6, m7, …$"):
        served_model(client, "server u", "gone")
