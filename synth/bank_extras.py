"""Entries of the sample's bank that no procedural question shows, as most entries of a real bank are rarely seen.

Many are near neighbours of a mal-rule, so that the right entry has to be told from a similar one.
"""

from synth.bank_extras_further import FURTHER_EXTRAS

EXTRAS: tuple[tuple[str, str], ...] = (
    (
        "Thinks subtraction ranks above addition in the order of operations",
        "A subtraction that stands later in the line is done before an earlier addition.",
    ),
    (
        "Works out brackets last",
        "Everything outside a bracket is calculated before what is inside it.",
    ),
    (
        "Carries out multiplication before division even when the division stands first",
        "The two are given different ranks and are not worked from left to right.",
    ),
    ("Reads 'cubed' as 'times three'", "Replaces a cube by three times the number."),
    ("Believes that squaring always makes a number larger", "Overlooks numbers between nought and one."),
    ("Halves a number to find its square root", "The root is taken as the inverse of doubling, not of squaring."),
    (
        "Thinks that a number to the power zero is zero",
        "An index of nought is taken to mean that nothing is left of the number.",
    ),
    (
        "Divides the indices when powers of one base are divided",
        "The operation between the powers is carried out on their indices.",
    ),
    (
        "Subtracts in the wrong order when dividing powers",
        "The index of the first power is taken from that of the second.",
    ),
    (
        "Adds the carried digit before multiplying in a long multiplication",
        "The carry is put onto the next digit first, so it is multiplied as well.",
    ),
    (
        "Leaves out the place-holding zero in the second row of a long multiplication",
        "The row for the tens is written as if it were another row of units.",
    ),
    (
        "Ignores the remainder of a division in a problem with whole objects",
        "Rounds down although a further bus or box is needed for what is left.",
    ),
    (
        "Exchanges from the wrong column in a subtraction",
        "The ten is taken from a column further left than its neighbour.",
    ),
    (
        "Carries a digit although the column adds up to less than ten",
        "A one is passed to the next column by habit.",
    ),
    ("Rounds up whatever the next digit is", "Anything after the chosen place is taken as a reason to go up."),
    ("Rounds a five downwards", "A number exactly halfway is given the lower value."),
    (
        "Counts leading zeros as significant figures",
        "In a decimal below one the zeros after the point are counted as the first figures.",
    ),
    (
        "Thinks a negative number with a larger size is greater",
        "Orders negative numbers by their digits, so minus nine comes above minus two.",
    ),
    (
        "Believes that multiplying two negatives gives a negative",
        "The sign of both factors is carried over to the product.",
    ),
    (
        "Counts nought as one step when counting back through zero",
        "A step on the number line is lost or gained at zero.",
    ),
    ("Thinks one is a prime number", "Does not require a prime to have two different factors."),
    ("Believes all odd numbers are prime", "Being odd is taken as a test for being prime."),
    (
        "Leaves one and the number itself out of a list of factors",
        "Only factor pairs that need some thought are counted.",
    ),
    ("Lists factors when asked for multiples", "The two words are exchanged when numbers are listed."),
    (
        "Subtracts fractions by taking top from top and bottom from bottom",
        "Numerators and denominators are handled as separate subtractions.",
    ),
    (
        "Adds denominators when both fractions have the same one",
        "Even like fractions get a new denominator, the sum of the old ones.",
    ),
    (
        "Thinks a fraction with larger parts is always larger",
        "A smaller denominator is taken to decide, whatever the numerator is.",
    ),
    (
        "Cancels a digit that occurs in numerator and denominator",
        "A figure is struck out above and below as though it were a factor.",
    ),
    (
        "Halves only the numerator to simplify a fraction",
        "One part of the fraction is divided and the other is left alone.",
    ),
    (
        "Believes equal parts of a whole need not be equal in size",
        "Counts the pieces of a diagram without looking at how large they are.",
    ),
    (
        "Adds the whole part of a mixed number to the denominator",
        "In changing to an improper fraction the whole number is used at the bottom.",
    ),
    (
        "Divides the denominator by the numerator to get a decimal",
        "The fraction bar is read as a division in the wrong direction.",
    ),
    (
        "Removes the decimal point to multiply by ten",
        "The point is deleted wherever it stands, without counting places.",
    ),
    (
        "Adds a nought after the point to divide by ten",
        "A zero is inserted without moving the digits as a whole.",
    ),
    (
        "Multiplies both the number and the divisor by ten but then divides the answer again",
        "A scaling that cancels out is undone once more.",
    ),
    (
        "Believes that multiplication makes every number larger",
        "Rejects products below a factor, as they occur with numbers under one.",
    ),
    (
        "Thinks a percentage can never be above one hundred",
        "Refuses or changes results for increases to more than twice the amount.",
    ),
    (
        "Adds two percentage changes that follow one another",
        "A rise of ten per cent after one of twenty is taken for one of thirty.",
    ),
    (
        "Converts a decimal to a percentage by moving the point one place",
        "Multiplies by ten where a hundred is needed.",
    ),
    (
        "Calculates compound interest as simple interest",
        "The interest of every year is taken of the first amount only.",
    ),
    (
        "Subtracts the percentage from one hundred and stops there",
        "The remaining percentage is given instead of an amount.",
    ),
    (
        "Gives the difference between the shares of a ratio for one of them",
        "The shares are subtracted although only one is asked for.",
    ),
    (
        "Writes the numbers of a ratio in order of size",
        "The smaller number is put first whatever the wording says.",
    ),
    (
        "Simplifies a ratio without first making the units the same",
        "Numbers in metres and centimetres are compared as they stand.",
    ),
    (
        "Uses the length scale factor twice for a volume",
        "Volumes are enlarged as though they had two dimensions.",
    ),
    *FURTHER_EXTRAS,
)
"""Pairs of a name and an explanation, in our own words: number first, then algebra, shapes and data."""
