from made_rows import BANK, made_question

from core.fingerprint import fingerprint
from synth.examples import ExamplePool, parents_of

QUESTIONS = [made_question(text=f"What is {n} + 2?", id=n, label=1 + n % 2) for n in range(12)]
PICTURES = [made_question(text=f"What does diagram {n} show?", id=50 + n, label=3) for n in range(3)]


def pool(questions=(*QUESTIONS, *PICTURES), seed=0):
    return ExamplePool(questions, BANK, seed=seed)


def ids(examples):
    return [example.question.id for example in examples]


def test_pictures_are_left_out_unless_there_is_nothing_else():
    assert len(pool()) == 12 and len(pool(PICTURES)) == 3 and len(pool([])) == 0
    assert len(pool([made_question(label=99)])) == 0  # its label is not in the bank


def test_the_draw_is_of_the_row_alone_and_of_the_seed():
    one = pool().for_row("m1-0-0", 1, (), random=3, same=2)
    assert one == pool().for_row("m1-0-0", 1, (), random=3, same=2)
    assert one != pool().for_row("m1-0-1", 1, (), random=3, same=2)
    assert one != pool(seed=1).for_row("m1-0-0", 1, (), random=3, same=2)
    assert len(set(ids(one))) == 5
    assert [example.misconception.id for example in one[3:]] == [1, 1]  # its own stand last


def test_similar_ones_stand_in_where_it_has_none_and_the_nearest_stands_last():
    assert pool().for_row("m3-0-0", 3, (), random=0, same=2) == ()
    few = pool([made_question(id=1, label=1, text="a 1?"), *(q for q in QUESTIONS if q.labels_of("B") == (2,))])
    found = few.for_row("m3-0-0", 3, (1, 2), random=0, same=3)
    assert [example.misconception.id for example in found] == [2, 2, 1]


def test_no_question_is_shown_twice():
    made = pool()
    shared = made.shared(4)
    assert len(set(ids(shared))) == 4 and shared == made.shared(9)[:4]
    found = made.for_row("m1-0-0", 1, (2,), random=6, same=6, shown=shared)
    assert len(found) == 8 and not set(ids(found)) & set(ids(shared))  # all that are left
    copies = pool([made_question(id=1), made_question(id=2)])
    assert len(copies.for_row("m1-0-0", 1, (), random=3, same=3)) == 1


def test_parents_are_the_questions_shown():
    shown = pool().shared(3)
    assert parents_of((*shown, shown[0])) == tuple(sorted(fingerprint(example.question) for example in shown))
