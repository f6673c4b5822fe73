"""Which model an OpenAI-compatible server is asked for: the one that it knows by a name, or the only one."""

from dataclasses import dataclass

from core.errors import ModelError
from core.http_json import JsonClient

_TOLD = 8
"""Names that an error shows: a hosted endpoint lists hundreds."""


@dataclass(frozen=True, kw_only=True)
class ServedModel:
    """A model as the server's list tells it.

    Attributes:
        name: What requests name it by.
        root: The folder or hub id that the server has loaded under that name; None where it does not say.
        parent: An adapter's base; None otherwise.
    """

    name: str
    root: str | None = None
    parent: str | None = None


def served_model(client: JsonClient, server: str, model: str | None) -> ServedModel:
    """Return the model that a server knows by a name.

    Args:
        client: Speaks to the server.
        server: What it is called in messages: its kind and address.
        model: The name; None means the only one.

    Raises:
        ModelError: It is not served, or none was named and there is not exactly one, or the list is none.
        HttpError: The server did not answer.
    """
    answer = client.get("models")
    try:
        served = [
            ServedModel(name=str(entry["id"]), root=entry.get("root"), parent=entry.get("parent"))
            for entry in answer["data"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{server}: /models is no list of models; is it an OpenAI API?") from error
    found = [one for one in served if model in (None, one.name)]
    if len(found) == 1 or (found and model is not None):
        return found[0]
    wanted = "expected one model, or its name in served_model" if model is None else f"does not serve '{model}'"
    more = ", …" if len(served) > _TOLD else ""
    raise ModelError(f"{server}: {wanted}; there is {', '.join(one.name for one in served[:_TOLD]) or 'none'}{more}")
