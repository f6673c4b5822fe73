"""Probability."""

from fractions import Fraction as F

from synth.answers import fraction, lowest, number
from synth.bank_rules.parts import rule
from synth.mal_rule import Task

CHANCE = "Probability"
DRAWS = "Combined events"

TASKS = (
    Task(
        slug="not-happening",
        construct="Find the probability that an event does not happen",
        subject=CHANCE,
        wordings=(
            r"The probability of rain is \( <p> \). What is the probability that it does not rain?",
            r"The probability that <person> is late is \( <p> \). What is the probability that "
            "<person> is not late?",
        ),
        parameters="p",
        draw=lambda r: (F(r.randint(5, 95), 100),),
        keep=lambda p: p not in (F(1, 2), F(1, 4), F(3, 4)),
        right=lambda p: number(1 - p),
        wrong=(
            (
                rule("not-happening-equal", "Thinks that happening and not happening have one probability"),
                lambda p: number(p),
            ),
            (
                rule("not-happening-from-hundred", "Does not use that the probabilities add to one"),
                lambda p: number(100 - p),
            ),
        ),
        slips=(lambda p: number(F(1, 2)), lambda p: number(1 + p)),
    ),
    Task(
        slug="missing-probability",
        construct="Use that probabilities add to one",
        subject=CHANCE,
        wordings=(
            r"A spinner shows red with probability \( <p> \), blue with \( <q> \), otherwise green. "
            "What is the probability of green?",
            r"The probabilities of win and draw are \( <p> \) and \( <q> \). What is the probability "
            "of a loss?",
        ),
        parameters="p q",
        draw=lambda r: (F(r.randint(10, 45), 100), F(r.randint(10, 40), 100)),
        keep=lambda p, q: p != q and p + q != F(1, 2),
        right=lambda p, q: number(1 - p - q),
        wrong=(
            (
                rule("missing-as-sum", "Adds the given probabilities and does not subtract from one"),
                lambda p, q: number(p + q),
            ),
            (
                rule("missing-as-difference", "Subtracts one given probability from the other"),
                lambda p, q: number(abs(p - q)),
            ),
        ),
        slips=(lambda p, q: number(p * q), lambda p, q: lowest(1, 3)),
    ),
    Task(
        slug="single-draw-further",
        construct="Find the probability of a single event",
        subject=CHANCE,
        wordings=(
            r"A bag holds \( <a> \) red and \( <b> \) blue counters. One is taken at random. What is "
            "the probability that it is red?",
            r"\( <a> \) of the tickets win and \( <b> \) lose. What is the probability that a ticket "
            "wins?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 9), r.randint(3, 11)),
        keep=lambda a, b: a < b and F(a, a + b).numerator == a and F(a, b).numerator == a,
        right=lambda a, b: fraction(a, a + b),
        wrong=(
            (rule("probability-as-count", "Gives a whole number as a probability"), lambda a, b: number(a)),
            (
                rule("probability-part-to-part", "Compares the winning cases with the others only"),
                lambda a, b: fraction(a, b),
            ),
            (rule("probability-upside-down", "Writes a probability upside down"), lambda a, b: fraction(a + b, a)),
            (
                rule("two-colours-half-each", "Thinks that two possible results are equally likely"),
                lambda a, b: lowest(1, 2),
            ),
        ),
    ),
    Task(
        slug="relative-frequency",
        construct="Find relative frequencies",
        subject=CHANCE,
        wordings=(
            r"A drawing pin lands point up \( <a> \) times and point down \( <b> \) times. What is "
            "the relative frequency of point up?",
            r"In \( <n> \) throws a coin shows heads \( <a> \) times and tails \( <b> \) times. What "
            "is the relative frequency of heads?",
        ),
        parameters="a b n",
        draw=lambda r: (a := r.randint(7, 40), b := r.randint(7, 40), a + b),
        keep=lambda a, b, n: F(a, n).numerator == a and F(a, b).numerator == a and a != b,
        right=lambda a, b, n: fraction(a, n),
        wrong=(
            (
                rule("relative-frequency-as-count", "Gives the frequency when the relative frequency is asked for"),
                lambda a, b, n: number(a),
            ),
            (
                rule("relative-frequency-over-other", "Divides by the other frequency instead of the total"),
                lambda a, b, n: fraction(a, b),
            ),
            (
                rule("relative-frequency-as-theory", "Gives the theoretical probability for a relative frequency"),
                lambda a, b, n: lowest(1, 2),
            ),
        ),
    ),
    Task(
        slug="two-independent-events",
        construct="Find probabilities of independent events",
        subject=DRAWS,
        wordings=(
            r"The probability that A happens is \( \frac{<a>}{<b>} \), that B happens \( "
            r"\frac{<c>}{<d>} \). They are independent. What is the probability of both?",
            r"Two spinners win with probabilities \( \frac{<a>}{<b>} \) and \( \frac{<c>}{<d>} \). "
            "What is the probability that both win?",
        ),
        parameters="a b c d",
        draw=lambda r: (r.randint(1, 4), r.randint(4, 9), r.randint(1, 4), r.randint(4, 9)),
        keep=lambda a, b, c, d: (
            b != d
            and a < b
            and c < d
            and F(a, b).numerator == a
            and F(c, d).numerator == c
            and a * d + c * b < b * d
            and a != c
        ),
        right=lambda a, b, c, d: lowest(a * c, b * d),
        wrong=(
            (
                rule("both-by-adding", "Adds the probabilities of two events that should both happen"),
                lambda a, b, c, d: lowest(a * d + c * b, b * d),
            ),
            (
                rule("both-numerators-added", "Adds the numerators and multiplies the denominators for both events"),
                lambda a, b, c, d: fraction(a + c, b * d),
            ),
            (
                rule("both-as-first", "Gives the probability of the first event for both"),
                lambda a, b, c, d: fraction(a, b),
            ),
            (
                rule("both-first-denominator", "Keeps the first denominator for a combined probability"),
                lambda a, b, c, d: fraction(a * c, b),
            ),
        ),
    ),
    Task(
        slug="two-draws-with-replacement",
        construct="Find probabilities of combined events with replacement",
        subject=DRAWS,
        wordings=(
            r"A bag holds \( <n> \) balls, \( <a> \) of them red. One is taken and put back, then one "
            "is taken again. What is the probability that both are red?",
            r"\( <a> \) of \( <n> \) cards are gold. A card is drawn, replaced, and a card is drawn "
            "again. What is the probability of two gold cards?",
        ),
        parameters="a n",
        draw=lambda r: (r.randint(3, 8), r.randint(7, 12)),
        keep=lambda a, n: a < n,
        right=lambda a, n: lowest(a * a, n * n),
        wrong=(
            (
                rule("replaced-as-kept", "Treats an item that was put back as if it were gone"),
                lambda a, n: lowest(a * (a - 1), n * (n - 1)),
            ),
            (
                rule("replaced-both-added", "Adds the probabilities of two draws"),
                lambda a, n: lowest(2 * a, n) if 2 * a < n else None,
            ),
        ),
        slips=(lambda a, n: lowest(a, n), lambda a, n: lowest(a * (a - 1), n * n), lambda a, n: lowest(a, n * n)),
    ),
    Task(
        slug="two-same-without-replacement",
        construct="Find probabilities of combined events without replacement",
        subject=DRAWS,
        wordings=(
            r"A bag holds \( <n> \) balls, \( <a> \) of them red. Two are taken and not put back. "
            "What is the probability that both are red?",
            r"\( <a> \) of \( <n> \) cards are gold. Two cards are drawn at once. What is the "
            "probability that both are gold?",
        ),
        parameters="a n",
        draw=lambda r: (r.randint(3, 8), r.randint(7, 12)),
        keep=lambda a, n: a < n,
        right=lambda a, n: lowest(a * (a - 1), n * (n - 1)),
        wrong=(
            (
                rule("winning-items-not-reduced", "Takes one off the total but not off the winning items"),
                lambda a, n: lowest(a * a, n * (n - 1)),
            ),
            (
                rule("total-not-reduced", "Takes one off the winning items but not off the total"),
                lambda a, n: lowest(a * (a - 1), n * n),
            ),
            (
                rule("nothing-reduced", "Leaves both numbers as they were for the second draw"),
                lambda a, n: lowest(a * a, n * n),
            ),
        ),
    ),
    Task(
        slug="two-different-without-replacement",
        construct="Find probabilities of combined events without replacement",
        subject=DRAWS,
        wordings=(
            r"A bag holds \( <a> \) red and \( <b> \) blue balls. Two are taken one after the other "
            "and not put back. What is the probability of red and then blue?",
            r"\( <a> \) milk and \( <b> \) dark chocolates are in a box. Two are eaten at random. "
            "What is the probability that the first is milk and the second dark?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(2, 7), r.randint(3, 8)),
        keep=lambda a, b: a != b,
        right=lambda a, b: lowest(a * b, (a + b) * (a + b - 1)),
        wrong=(
            (
                rule("both-parts-always-reduced", "Takes one off both parts of the second fraction whatever was drawn"),
                lambda a, b: lowest(a * (b - 1), (a + b) * (a + b - 1)),
            ),
            (
                rule("second-fraction-unchanged", "Leaves the second probability as it was although an item is gone"),
                lambda a, b: lowest(a * b, (a + b) ** 2),
            ),
        ),
        slips=(
            lambda a, b: lowest(a + b - 1, (a + b) * (a + b - 1)),
            lambda a, b: lowest(a * (b - 1), (a + b) ** 2),
            lambda a, b: lowest(a, b),
        ),
    ),
    Task(
        slug="product-rule",
        construct="Use the product rule for counting",
        subject=DRAWS,
        wordings=(
            r"A menu has \( <a> \) starters, \( <b> \) mains and \( <c> \) puddings. How many "
            "different meals of three courses are there?",
            r"<person> has \( <a> \) shirts, \( <b> \) trousers and \( <c> \) hats. How many outfits "
            "with one of each are possible?",
        ),
        parameters="a b c",
        draw=lambda r: (r.randint(2, 6), r.randint(3, 8), r.randint(2, 7)),
        keep=lambda a, b, c: a * b * c > 3 * (a + b + c),
        right=lambda a, b, c: number(a * b * c),
        wrong=(
            (
                rule("choices-added", "Adds the numbers of choices instead of multiplying them"),
                lambda a, b, c: number(a + b + c),
            ),
            (
                rule("arrangements-as-items", "Takes the number of items for the number of arrangements"),
                lambda a, b, c: number(3),
            ),
        ),
        slips=(lambda a, b, c: number(a * b + c), lambda a, b, c: number(a * b)),
    ),
)
