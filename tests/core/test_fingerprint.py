from dataclasses import replace

from core.fingerprint import fingerprint
from core.records import Question

ONE = Question(id=1, text="What is \\( 2+3 \\)?", answers=("1", "2", "5", "6"), correct="C")


def test_copies_share_it_whatever_their_ids_spacing_and_answers():
    copy = replace(ONE, id=7, text="what is  \\(2 + 3\\)?", answers=("9", "8", "5", "6"))
    assert fingerprint(copy) == fingerprint(ONE)
    assert fingerprint(replace(ONE, text="What is \\( 2+4 \\)?")) != fingerprint(ONE)
    assert len(fingerprint(ONE)) == 16
