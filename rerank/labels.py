"""The labels that candidates carry in a prompt: each is exactly one token in the place where it is read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase, ascii_uppercase

from core.errors import ModelError
from core.tokenizer import Tokenizer

LETTERS = ascii_uppercase + ascii_lowercase
"""A to Z, then a to z: 52 labels, one character each."""

DIGITS = "1234567890"
"""1 to 9, then 0: ten labels."""

ALPHABETS: Mapping[str, str] = {"letters": LETTERS, "digits": DIGITS, "letters+digits": LETTERS + DIGITS}
"""The alphabets by the names a config gives them."""

# How much of a prompt's end is read again to see whether a label joins it: more than any frame's last word.
_TAIL = 8


@dataclass(frozen=True, kw_only=True)
class LabelTokens:
    """Labels and their tokens.

    Attributes:
        texts: The labels, distinct.
        ids: The token of each; distinct.
    """

    texts: tuple[str, ...]
    ids: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.texts)


def label_tokens(tokenizer: Tokenizer, prefix_ids: Sequence[int], alphabet: Sequence[str]) -> LabelTokens:
    """Find the one token that each label is when it continues a prompt.

    The end of the prompt is tokenised again with the label behind it: the prompt's tokens must not change and exactly
    one must follow. So `A` and ` A`, or a label that melts into the prompt's last token, cannot be confused (field
    notes: "a label must be ONE token in the place where it is read").

    Args:
        tokenizer: The model's tokenizer.
        prefix_ids: A rendered prompt up to the place where the label is read; not empty.
        alphabet: The labels: a string of characters, or whole words.

    Returns:
        The labels with their tokens, in the order of the alphabet.

    Raises:
        ModelError: A label is not one token there, or two share one; says which labels this tokenizer can serve.
        ValueError: The alphabet is empty or holds a label twice, or the prompt is empty.
    """
    labels = tuple(alphabet)
    if not labels or len(set(labels)) != len(labels):
        raise ValueError(f"expected distinct labels, at least one; got {list(labels)}")
    if not len(prefix_ids):
        raise ValueError("a label is read after a prompt; got an empty one")
    tail, text = _readable_tail(tokenizer, prefix_ids)
    found: dict[str, int] = {}
    # A vocabulary of whole words has no line ends; there one must part the label from the word before it.
    gap = "" if tokenizer.encode_text("\n") else "\n"
    for label in labels:
        ids = tokenizer.encode_text(text + gap + label)
        alone = len(ids) == len(tail) + 1 and ids[: len(tail)] == tail and ids[-1] not in found.values()
        if alone and tokenizer.decode(ids[-1:]).strip() == label:  # not the token of unknown words
            found[label] = ids[-1]
    if len(found) < len(labels):
        unfit = [label for label in labels if label not in found]
        raise ModelError(
            f"labels {', '.join(map(repr, unfit))} are not one token of their own after {text!r} with this tokenizer. "
            f"It can serve {len(found)} of {len(labels)}: {' '.join(found) or 'none'}. Choose an alphabet of these."
        )
    return LabelTokens(texts=labels, ids=tuple(found[label] for label in labels))


def _readable_tail(tokenizer: Tokenizer, prefix_ids: Sequence[int]) -> tuple[list[int], str]:
    """Return the longest end of a prompt (at most `_TAIL` tokens, no control token) that its own text gives back."""
    plain: list[int] = []
    for id in reversed(prefix_ids[-_TAIL:]):
        if id in tokenizer.control_ids:
            break
        plain.insert(0, id)
    for start in range(len(plain)):
        text = tokenizer.decode(plain[start:])
        if tokenizer.encode_text(text) == plain[start:]:
            return plain[start:], text
    return [], ""
