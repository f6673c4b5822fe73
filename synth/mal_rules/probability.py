"""Probability: single events, repeated draws, expected frequency."""

from fractions import Fraction

from synth.answers import lowest, number
from synth.mal_rule import MalRule, Task
from synth.mal_rules.fractions import DIVIDES_BY_NUMERATOR, UNIT_FRACTION_ONLY
from synth.mal_rules.ratio import PART_TO_PART, SINGLE_ITEM_SHARE

EQUALLY_LIKELY_COLOURS = MalRule(
    slug="equally-likely-colours",
    name="Believes the possible outcomes of any experiment are equally likely",
    explanation="With three kinds of counter each is given a chance of one third, however many there are of it.",
)
CHANCE_OF_THE_OPPOSITE = MalRule(
    slug="chance-of-the-opposite",
    name="Works out the probability that an event does not happen",
    explanation="The complement of what is asked for is given.",
)
ADDS_FOR_BOTH = MalRule(
    slug="adds-for-both",
    name="Adds probabilities for one event happening and then another",
    explanation="'And' is taken as a signal to add, so two events together come out likelier than either.",
)
SECOND_DRAW_UNCHANGED = MalRule(
    slug="second-draw-unchanged",
    name="Treats a draw without replacement as if the item were put back",
    explanation="The same fraction is used for both draws.",
)
SECOND_TOTAL_UNCHANGED = MalRule(
    slug="second-total-unchanged",
    name="Takes one off the number of winning items but not off the total for the second draw",
    explanation="Only the numerator is reduced after the first item has been taken.",
)

TASKS = (
    Task(
        slug="single-event",
        construct="Find the probability of a single event",
        subject="Probability of single events",
        wordings=(
            r"A bag holds \( <a> \) red, \( <b> \) blue and \( <c> \) green counters. One is taken at random. What is "
            r"the probability that it is red?",
            r"<person> has \( <a> \) apple, \( <b> \) cherry and \( <c> \) lemon sweets and picks one without looking. "
            r"What is the probability of an apple sweet?",
            r"A spinner has \( <a> \) equal sectors marked win, \( <b> \) marked lose and \( <c> \) marked try again. "
            r"What is the probability of a win?",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(2, 12), r.randint(2, 12), r.randint(2, 12)),
        keep=lambda a, b, c: 3 * a != a + b + c,
        right=lambda a, b, c: lowest(a, a + b + c),
        wrong=(
            (PART_TO_PART, lambda a, b, c: lowest(a, b + c) if a < b + c else None),
            (SINGLE_ITEM_SHARE, lambda a, b, c: lowest(1, a + b + c)),
            (EQUALLY_LIKELY_COLOURS, lambda a, b, c: lowest(1, 3)),
            (CHANCE_OF_THE_OPPOSITE, lambda a, b, c: lowest(b + c, a + b + c)),
        ),
    ),
    Task(
        slug="two-draws",
        construct="Find probabilities of combined events without replacement",
        subject="Combined events",
        wordings=(
            r"A box holds \( <n> \) pens, \( <a> \) of them black. Two pens are taken at random and not put back. What "
            r"is the probability that both are black?",
            r"\( <a> \) of the \( <n> \) members of a club are girls. Two members are chosen at random. What is the "
            r"probability that both are girls?",
            r"<person> eats two of \( <n> \) chocolates at random. \( <a> \) of them have a nut inside. What is the "
            r"probability that both eaten ones have a nut?",
        ),
        parameters="a n",
        draw=lambda r: (r.randint(3, 15), r.randint(7, 30)),
        keep=lambda a, n: 2 * a < n,
        right=lambda a, n: lowest(a * (a - 1), n * (n - 1)),
        wrong=(
            (SECOND_DRAW_UNCHANGED, lambda a, n: lowest(a * a, n * n)),
            (SECOND_TOTAL_UNCHANGED, lambda a, n: lowest(a * (a - 1), n * n)),
            (ADDS_FOR_BOTH, lambda a, n: lowest(Fraction(a, n) + Fraction(a - 1, n - 1))),
        ),
    ),
    Task(
        slug="expected-frequency",
        construct="Find the expected number of times an event happens",
        subject="Expected frequency",
        wordings=(
            r"The probability that a biased coin shows heads is \( \frac{<a>}{<b>} \). It is thrown \( <n> \) "
            r"times. How many heads are expected?",
            r"A machine makes a faulty part with probability \( \frac{<a>}{<b>} \). How many faulty parts are expected "
            r"among \( <n> \) ?",
            r"<person> wins a game with probability \( \frac{<a>}{<b>} \). About how many of \( <n> \) games should "
            r"<person> expect to win?",
        ),
        parameters="a b n",
        draw=lambda r: (a := r.randint(2, 6), b := r.randint(3, 11), a * b * r.randint(2, 12)),
        keep=lambda a, b, n: a < b and Fraction(a, b).denominator == b,
        right=lambda a, b, n: number(n // b * a),
        wrong=(
            (UNIT_FRACTION_ONLY, lambda a, b, n: number(n // b)),
            (DIVIDES_BY_NUMERATOR, lambda a, b, n: number(n // a)),
            (CHANCE_OF_THE_OPPOSITE, lambda a, b, n: number(n - n // b * a)),
        ),
    ),
)
