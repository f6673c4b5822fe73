"""Text to token ids for language models: chat templates, and texts of users that can never become control tokens.

A prompt is made of frames (what the chat template writes around messages, see `core.chat_template`) and of contents.
Frames are tokenised with control tokens, contents without, and the pieces are put together as token ids. So a question
that holds the characters `<|im_start|>` stays a question.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from core.artifacts import content_hash
from core.chat_template import ChatPart, Role, chat_frames
from core.errors import ModelError

__all__ = ["ChatPart", "Role", "Tokenizer", "TransformersTokenizer", "load_tokenizer"]

_GUARD = "\n"
_SPACES = ("▁", "Ġ")


class Tokenizer(Protocol):
    """What prompts need of a model's tokenizer."""

    @property
    def vocabulary_size(self) -> int:
        """One more than the largest token id."""
        ...

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """The tokens that end a generation, rising."""
        ...

    @property
    def control_ids(self) -> frozenset[int]:
        """Tokens that no text of a user may become: all that were added to the vocabulary."""
        ...

    @property
    def name_hash(self) -> str:
        """SHA-256 over vocabulary, rules and chat template, 64 hexadecimal digits, for manifests."""
        ...

    def encode_text(self, text: str) -> list[int]:
        """Return the tokens of a text as it continues another one: no token is added, none is a control token."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids, control tokens written out."""
        ...

    def render_chat(self, parts: Sequence[ChatPart], *, generation_prompt: bool) -> list[int]:
        """Return the token ids of a chat in the model's own form.

        Args:
            parts: The messages, at least one; a system message only at the head.
            generation_prompt: End with what stands before the assistant's next message.

        Raises:
            ModelError: The chat template refuses these roles, or does not write each content once, in order.
        """
        ...


def load_tokenizer(folder: str | Path) -> "TransformersTokenizer":
    """Open the tokenizer in a model's folder.

    Args:
        folder: A folder with `tokenizer.json`.

    Raises:
        ModelError: None is there, it cannot be opened, or it has no fast (Rust) form.
    """
    from transformers import AutoTokenizer

    path = Path(folder)
    if not path.is_dir():
        raise ModelError(f"{path}: expected a model folder with a tokenizer (tokenizer.json); no such folder")
    try:
        made = AutoTokenizer.from_pretrained(str(path), local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{path}: no tokenizer can be opened here ({error}); expected tokenizer.json") from error
    if not made.is_fast:
        raise ModelError(
            f"{path}: this tokenizer has no fast form (tokenizer.json); convert it with transformers first"
        )
    return TransformersTokenizer(made, generation_eos=_generation_eos(path))


def _generation_eos(folder: Path) -> tuple[int, ...]:
    path = folder / "generation_config.json"
    if not path.is_file():
        return ()
    value = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id")
    return tuple(value) if isinstance(value, list) else () if value is None else (int(value),)


@dataclass(eq=False)
class TransformersTokenizer:
    """A transformers fast tokenizer as a `Tokenizer`.

    Attributes:
        inner: The transformers tokenizer.
        generation_eos: Ends of a generation that the model's `generation_config.json` names.
    """

    inner: Any
    generation_eos: tuple[int, ...] = ()
    _plain: Any = field(init=False, repr=False)
    _controls: dict[int, str] = field(init=False, repr=False)
    _gap: tuple[int, ...] = field(init=False, repr=False)
    _instruction: tuple[str, tuple[int, ...]] = field(init=False, repr=False, default=("", ()))
    _frames: dict[tuple[tuple[Role, ...], bool], tuple[tuple[int, ...], ...]] = field(
        init=False, repr=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        serialised = self.inner.backend_tokenizer.to_str()
        self._plain = _without_controls(serialised)
        added = self.inner.backend_tokenizer.get_added_tokens_decoder()
        # What stands for a word that is not in the vocabulary is what such a word becomes: no control token.
        unknown = self._plain.token_to_id(json.loads(serialised)["model"].get("unk_token") or "")
        self._controls = {
            id: token.content for id, token in added.items() if id != unknown or token.content == self.inner.eos_token
        }
        # Some (sentencepiece) put a space before the first word of a text, but contents continue a text.
        first = self._plain.encode("A", add_special_tokens=False).tokens[:1]
        prefixed = bool(first) and first[0].startswith(_SPACES)
        self._gap = tuple(self._plain.encode(_GUARD, add_special_tokens=False).ids) if prefixed else ()

    @cached_property
    def vocabulary_size(self) -> int:
        """One more than the largest token id."""
        return 1 + int(max(self.inner.get_vocab().values()))

    @property
    def eos_ids(self) -> tuple[int, ...]:
        """The tokens that end a generation, rising: the tokenizer's own and those of `generation_config.json`."""
        own = () if self.inner.eos_token_id is None else (int(self.inner.eos_token_id),)
        return tuple(sorted({*own, *self.generation_eos}))

    @cached_property
    def control_ids(self) -> frozenset[int]:
        """All tokens that were added to the vocabulary, but for the unknown word's."""
        return frozenset(self._controls)

    @cached_property
    def name_hash(self) -> str:
        """SHA-256 over vocabulary, rules and chat template."""
        return content_hash([self.inner.backend_tokenizer.to_str(), self.inner.chat_template])

    def encode_text(self, text: str) -> list[int]:
        """See `Tokenizer.encode_text`.

        Raises:
            ModelError: The vocabulary cannot write this text without a control token.
        """
        if not text:
            return []
        ids = self._encode(text)
        if self.control_ids.isdisjoint(ids):
            return ids
        # A unigram vocabulary can hold a control token as an ordinary piece: break the look-alikes in two.
        ids = [id for part in _broken(text, self._controls.values()) for id in self._encode(part)]
        if not self.control_ids.isdisjoint(ids):
            raise ModelError(f"this tokenizer makes control tokens of the plain text {text[:80]!r}; use another model")
        return ids

    def _encode(self, text: str) -> list[int]:
        if self._gap:
            ids = self._ids(_GUARD + text)
            if tuple(ids[: len(self._gap)]) == self._gap:  # else the guard melted into the text
                return ids[len(self._gap) :]
        return self._ids(text)

    def _ids(self, text: str) -> list[int]:
        # Not `encode`: that one keeps other Python threads waiting (measured: 11.9 of 12.2 s on a long text).
        (made,) = self._plain.encode_batch_fast([text], add_special_tokens=False)
        return list(made.ids)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids, control tokens written out."""
        text: str = self.inner.backend_tokenizer.decode(list(ids), skip_special_tokens=False)
        return text

    def render_chat(self, parts: Sequence[ChatPart], *, generation_prompt: bool) -> list[int]:
        """See `Tokenizer.render_chat`; a model without a chat template gets messages parted by blank lines.

        A template that refuses a system message gets it at the head of the first user message.
        """
        roles = tuple(part.role for part in parts)
        key = (roles, generation_prompt)
        if key not in self._frames:
            frames = chat_frames(self.inner, roles, generation_prompt=generation_prompt)
            self._frames[key] = tuple(self._frame(frame) for frame in frames)
        pieces = self._frames[key]
        ids = list(pieces[0])
        for part, after in zip(parts, pieces[1:], strict=True):
            ids += self._content(part)
            ids += after
        return ids

    def _content(self, part: ChatPart) -> Sequence[int]:
        if not isinstance(part.content, str):
            return part.content
        if part.role != "system":
            return self.encode_text(part.content)
        # The prompts of a run share one instruction (measured: a third of the time that rendering them took).
        text, ids = self._instruction
        if text != part.content:
            ids = tuple(self.encode_text(part.content))
            self._instruction = part.content, ids
        return ids

    def _frame(self, text: str) -> tuple[int, ...]:
        """Tokenise what a template wrote: control tokens are meant here."""
        ids = self.inner(text, add_special_tokens=False, split_special_tokens=False)["input_ids"]
        return tuple(int(id) for id in ids)


def _without_controls(serialised: str) -> Any:  # noqa: ANN401 - tokenizers has no types
    """Return the tokenizer without its added tokens; ids do not move."""
    from tokenizers import Tokenizer as Backend

    state = json.loads(serialised)
    state["added_tokens"] = []
    state["truncation"] = state["padding"] = None
    return Backend.from_str(json.dumps(state))


def _broken(text: str, controls: Iterable[str]) -> list[str]:
    """Return the text in pieces, cut after the first character of everything that reads like a control token."""
    longest_first = sorted((control for control in controls if len(control) > 1), key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    pieces, start = [], 0
    for match in pattern.finditer(text):
        pieces.append(text[start : match.start() + 1])
        start = match.start() + 1
    return [*pieces, text[start:]]
