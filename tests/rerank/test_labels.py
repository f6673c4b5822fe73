"""Labels are one token in the place where they are read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import ModelError
from core.tokenizer import ChatPart, TransformersTokenizer, load_tokenizer
from rerank.labels import ALPHABETS, DIGITS, LETTERS, label_tokens


def prompt_of(tokenizer: TransformersTokenizer) -> list[int]:
    return tokenizer.render_chat([ChatPart(role="user", content="Which? Answer:")], generation_prompt=True)


def test_the_alphabets_are_52_letters_and_ten_digits() -> None:
    assert (LETTERS[:3], LETTERS[25:27], len(LETTERS)) == ("ABC", "Za", 52)
    assert sorted(DIGITS) == list("0123456789")
    assert len(set(ALPHABETS["letters+digits"])) == 62


@pytest.mark.parametrize("alphabet", [*ALPHABETS.values(), ("Yes", "No")])
def test_every_label_is_one_token_where_it_is_read(
    any_tokenizer: TransformersTokenizer, alphabet: str | tuple[str, ...]
) -> None:
    prompt = prompt_of(any_tokenizer)
    labels = label_tokens(any_tokenizer, prompt, alphabet)
    assert labels.texts == tuple(alphabet)
    assert len(set(labels.ids)) == len(labels) == len(alphabet)
    whole = any_tokenizer.decode(prompt)
    for text, id in zip(labels.texts, labels.ids, strict=True):
        read = any_tokenizer.inner(whole + text, add_special_tokens=False)["input_ids"]
        assert read == [*prompt, id]


def test_the_letter_of_the_list_is_the_letter_of_the_answer(any_tokenizer: TransformersTokenizer) -> None:
    labels = label_tokens(any_tokenizer, prompt_of(any_tokenizer), "ABC")
    listed = any_tokenizer.encode_text("x\nA. one\nB. two\nC. three\n")
    assert [id for id in listed if id in labels.ids] == list(labels.ids)


def test_a_letter_behind_a_space_is_another_token(qwen_tokenizer: TransformersTokenizer) -> None:
    (bare,) = label_tokens(qwen_tokenizer, prompt_of(qwen_tokenizer), "A").ids
    (spaced,) = qwen_tokenizer.encode_text(" A")
    assert bare != spaced
    # After a prompt that ends with a space the two melt: such a prompt cannot be answered with a letter.
    with pytest.raises(ModelError, match=r"'A'.* are not one token .* serve 0 of 1: none"):
        label_tokens(qwen_tokenizer, qwen_tokenizer.encode_text("Answer: "), "A")


def test_the_error_says_which_labels_can_be_served(make_tokenizer: Callable[..., TransformersTokenizer]) -> None:
    tokenizer = make_tokenizer(merges=("Y e", "Ye s"))
    with pytest.raises(ModelError, match=r"labels 'No', 'é' are not one token .* serve 2 of 4: Yes A\. Choose"):
        label_tokens(tokenizer, prompt_of(tokenizer), ("Yes", "No", "A", "é"))


def test_two_labels_of_one_token_are_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, normalizers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE(vocab={letter: place for place, letter in enumerate("abcx")}, merges=[]))
    made.normalizer = normalizers.Lowercase()
    PreTrainedTokenizerFast(tokenizer_object=made).save_pretrained(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    assert label_tokens(tokenizer, [3], "abc").ids == (0, 1, 2)
    with pytest.raises(ModelError, match="serve 1 of 2: a"):
        label_tokens(tokenizer, [3], "aA")


def test_words_of_a_vocabulary_without_line_ends_and_its_unknown_word(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"[UNK]": 0, "Answer": 1, "A": 2, "B": 3}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]").save_pretrained(tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    assert label_tokens(tokenizer, [1], "AB").ids == (2, 3)
    with pytest.raises(ModelError, match="labels 'C' are not"):
        label_tokens(tokenizer, [1], "ABC")


def test_bad_alphabets_and_prompts_are_refused(byte_tokenizer: TransformersTokenizer) -> None:
    with pytest.raises(ValueError, match="distinct labels"):
        label_tokens(byte_tokenizer, [1], "AA")
    with pytest.raises(ValueError, match="distinct labels"):
        label_tokens(byte_tokenizer, [1], "")
    with pytest.raises(ValueError, match="an empty one"):
        label_tokens(byte_tokenizer, [], "A")
