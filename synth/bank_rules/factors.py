"""Factors, multiples and primes."""

from math import gcd, lcm

from synth.answers import number
from synth.bank_rules.parts import primes, rule, shown, words
from synth.bank_rules.shared import MULTIPLE_FOR_FACTOR
from synth.mal_rule import Task

FACTORS = "Factors, multiples and primes"
_ODD_COMPOSITES = (9, 15, 21, 25, 27, 33, 35, 39, 45, 49, 51, 57, 63, 69, 75, 77, 81, 87, 91, 93)

TASKS = (
    Task(
        slug="highest-common-factor-further",
        construct="Find the highest common factor of two numbers",
        subject=FACTORS,
        wordings=(
            r"What is the highest common factor of \( <a> \) and \( <b> \) ?",
            r"Find the HCF of \( <a> \) and \( <b> \).",
            r"Which is the greatest number that divides both \( <a> \) and \( <b> \) ?",
        ),
        parameters="a b",
        draw=lambda r: ((g := r.choice((4, 6, 8, 9, 10, 12))) * r.randint(2, 7), g * r.randint(2, 7)),
        keep=lambda a, b: a < b and b % a,
        right=lambda a, b: number(gcd(a, b)),
        wrong=(
            (rule("hcf-is-sum", "Adds the numbers to find their highest common factor"), lambda a, b: number(a + b)),
            (rule("hcf-is-smaller", "Gives the smaller number as the highest common factor"), lambda a, b: number(a)),
            (rule("hcf-is-larger", "Gives the larger number as the highest common factor"), lambda a, b: number(b)),
            (
                rule("hcf-is-product", "Multiplies the numbers to find their highest common factor"),
                lambda a, b: number(a * b),
            ),
        ),
    ),
    Task(
        slug="lowest-common-multiple-further",
        construct="Find the lowest common multiple of two numbers",
        subject=FACTORS,
        wordings=(
            r"What is the lowest common multiple of \( <a> \) and \( <b> \) ?",
            r"Find the LCM of \( <a> \) and \( <b> \).",
            r"Which is the smallest number that is in both the \( <a> \) and the \( <b> \) times "
            "table?",
        ),
        parameters="a b",
        draw=lambda r: (r.randint(4, 20), r.randint(4, 24)),
        keep=lambda a, b: a < b and b % a and gcd(a, b) > 1,
        right=lambda a, b: number(lcm(a, b)),
        wrong=(
            (rule("lcm-is-sum", "Adds the numbers to find their lowest common multiple"), lambda a, b: number(a + b)),
            (
                rule("lcm-is-larger", "Gives the largest of the numbers as their lowest common multiple"),
                lambda a, b: number(b),
            ),
            (
                rule("lcm-not-lowest", "Finds a shared multiple that is not the lowest"),
                lambda a, b: number(2 * lcm(a, b)),
            ),
            (
                rule("multiple-of-one-only", "Gives a multiple of one number that the other does not share"),
                lambda a, b: number(2 * b) if 2 * b % a else None,
            ),
        ),
    ),
    Task(
        slug="all-factors",
        construct="List the factors of a number",
        subject=FACTORS,
        wordings=(
            r"Which list shows all the factors of \( <n> \), and nothing else?",
            r"<person> writes down every factor of \( <n> \). Which list is right?",
        ),
        parameters="n",
        draw=lambda r: (r.choice((6, 8, 10, 12, 14, 15, 16, 18, 20, 21, 22, 26, 27, 28, 32, 33, 34, 35)),),
        right=lambda n: shown(", ".join(str(d) for d in range(1, n + 1) if n % d == 0)),
        wrong=(
            (
                rule("one-no-factor", "Leaves one out of the factors of a number"),
                lambda n: shown(", ".join(str(d) for d in range(2, n + 1) if n % d == 0)),
            ),
            (
                rule("self-no-factor", "Leaves the number itself out of its factors"),
                lambda n: shown(", ".join(str(d) for d in range(1, n) if n % d == 0)),
            ),
            (MULTIPLE_FOR_FACTOR, lambda n: shown(", ".join(str(n * k) for k in range(1, 5)))),
            (
                rule("prime-factors-for-factors", "Lists prime factors when all factors are asked for"),
                lambda n: shown(", ".join(map(str, sorted(set(primes(n)))))),
            ),
        ),
    ),
    Task(
        slug="third-multiple",
        construct="List multiples of a number",
        subject=FACTORS,
        wordings=(
            r"The multiples of \( <a> \) are written in order, smallest first. What is multiple "
            r"number \( <k> \) ?",
            r"What is the \( <k> \)th multiple of \( <a> \) ?",
        ),
        parameters="a k",
        draw=lambda r: (r.choice((6, 8, 12, 14, 15, 16, 18, 20)), r.randint(4, 8)),
        keep=lambda a, k: a != k and a != 2 * k,
        right=lambda a, k: number(a * k),
        wrong=(
            (
                rule("first-multiple-is-double", "Starts the multiples of a number at its double"),
                lambda a, k: number(a * (k + 1)),
            ),
            (MULTIPLE_FOR_FACTOR, lambda a, k: number(a // 2)),
            (rule("multiple-by-adding", "Adds the position to a number to get a multiple"), lambda a, k: number(a + k)),
        ),
    ),
    Task(
        slug="which-is-prime",
        construct="Recognise prime numbers",
        subject=FACTORS,
        wordings=(
            r"Which of these numbers is prime? \[ <list> \]",
            r"Only one of these is a prime number. Which one? \[ <list> \]",
        ),
        parameters="p q e list",
        draw=lambda r: (
            p := r.choice((2, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)),
            q := r.choice(_ODD_COMPOSITES),
            e := r.choice((4, 6, 8, 10, 12, 14, 16, 18, 20)),
            tuple(sorted((1, p, q, e))),
        ),
        right=lambda p, q, e, list: number(p),
        wrong=(
            (rule("one-is-prime", "Counts one among the prime numbers"), lambda p, q, e, list: number(1)),
            (
                rule("odd-means-prime", "Takes an odd number with more than two factors for a prime"),
                lambda p, q, e, list: number(q),
            ),
            (rule("even-means-prime", "Takes an even number for a prime"), lambda p, q, e, list: number(e)),
        ),
    ),
    Task(
        slug="product-of-prime-factors",
        construct="Write a number as a product of its prime factors",
        subject=FACTORS,
        wordings=(
            r"Write \( <n> \) as a product of prime factors.",
            r"Which of these is \( <n> \), written as a product of its prime factors?",
        ),
        parameters="n",
        draw=lambda r: (r.choice((2, 3, 4, 8)) * r.choice((3, 5, 9)) * r.choice((2, 5, 7)),),
        keep=lambda n: len(primes(n)) > len(set(primes(n))) > 1,
        right=lambda n: shown(r" \times ".join(map(str, primes(n)))),
        wrong=(
            (
                rule("repeated-primes-once", "Counts a prime factor that occurs several times only once"),
                lambda n: shown(r" \times ".join(map(str, sorted(set(primes(n)))))),
            ),
            (
                rule("tree-by-adding", "Splits a number into parts that add up to it instead of factors"),
                lambda n: shown(rf"{n - 3} + 3"),
            ),
            (
                rule("tree-stops-early", "Stops a factor tree before every end is prime"),
                lambda n: shown(rf"{primes(n)[0]} \times {n // primes(n)[0]}"),
            ),
        ),
    ),
    Task(
        slug="odd-and-even",
        construct="Recognise odd and even numbers",
        subject=FACTORS,
        wordings=(
            r"Which of these is an even number? \[ <list> \]",
            r"Only one of these numbers is even. Which one? \[ <list> \]",
        ),
        parameters="e a b c list",
        draw=lambda r: (
            e := 10 * r.choice((1, 3, 5, 7, 9)) + 2 * r.randint(0, 4),
            a := 20 * r.randint(1, 4) + 2 * r.randint(0, 4) + 1,
            b := a + 10,
            c := b + 12 - 2,
            tuple(sorted((e, a, b, c))),
        ),
        right=lambda e, a, b, c, list: number(e),
        wrong=(
            (rule("odd-even-swapped", "Calls odd numbers even and even ones odd"), lambda e, a, b, c, list: number(a)),
        ),
        slips=(lambda e, a, b, c, list: number(b), lambda e, a, b, c, list: number(c)),
    ),
    Task(
        slug="complete-the-statement-about-primes",
        construct="Recognise prime numbers",
        subject=FACTORS,
        wordings=(
            r"Which statement about prime numbers below \( <n> \) is true?",
            r"<person> thinks about the prime numbers that are less than \( <n> \). Which statement "
            "is right?",
        ),
        parameters="n",
        draw=lambda r: (r.randint(10, 100),),
        right=lambda n: words("Exactly one of them is even"),
        wrong=(
            (
                rule("primes-cannot-be-even", "Believes that no prime number is even"),
                lambda n: words("All of them are odd"),
            ),
            (
                rule("one-counts-as-prime", "Takes one for the smallest prime number"),
                lambda n: words(r"The smallest is \( 1 \)"),
            ),
            (
                rule("primes-are-odd-numbers", "Takes prime numbers and odd numbers to be the same"),
                lambda n: words("Every odd number is one of them"),
            ),
        ),
    ),
)
