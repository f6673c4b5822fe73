"""Mal-rules that go wrong in several skills."""

from synth.bank_rules.parts import rule

NEAREST_WHOLE = rule("nearest-whole-instead", "Rounds to the nearest whole number whatever accuracy is asked for")
TOO_LITTLE = rule("rounds-too-little", "Keeps more digits than the asked accuracy")
TOO_MUCH = rule("rounds-too-much", "Keeps fewer digits than the asked accuracy")
FIVE_DOWN = rule("five-rounds-down", "Rounds down when the next digit is a five")
ORDER_NOT_REVERSED = rule(
    "order-not-reversed",
    "Uses the inverse operations in the order in which they were applied",
    "Knows that operations must be undone but does not start with the last one.",
)
STOPS_BEFORE_DIVIDING = rule(
    "stops-before-dividing", "Stops at a multiple of the unknown and gives that as the solution"
)
CUBE_TIMES_THREE = rule("cube-times-three", "Multiplies by three to cube a number")
SQUARE_FOR_CUBE = rule("square-for-cube", "Squares a number that should be cubed, or the other way round")
MULTIPLE_FOR_FACTOR = rule("multiple-for-factor", "Takes multiples for factors or factors for multiples")
EVEN_FOR_SQUARE = rule("even-for-square", "Takes the even numbers for the square numbers")
SIZES_ADDED_MINUS = rule(
    "sizes-added-minus",
    "Adds the sizes of the numbers and puts a minus sign in front",
    "With mixed signs or a result below zero the two sizes are summed and a minus sign is written before the sum.",
)
NEGATIVE_SIGN_UNSEEN = rule("negative-sign-unseen", "Calculates as if the minus sign of a number were not there")
LARGER_MINUS_SMALLER = rule(
    "larger-minus-smaller",
    "Subtracts the smaller number from the larger whatever their order",
    "Thinks that a subtraction may be turned round, so a result below zero never comes up.",
)
ADDITION_BEFORE_DIVISION = rule("addition-before-division", "Does an addition before a division")
FRACTION_BAR_NO_GROUP = rule(
    "fraction-bar-no-group",
    "Divides only the term next to a fraction bar's denominator",
    "The sum above a fraction bar is not worked out first; the division is done before the addition.",
)
PERCENT_AS_AMOUNT = rule("percent-number-as-amount", "Uses the number before the per cent sign as the amount itself")
SCALE_UPSIDE_DOWN = rule(
    "scale-factor-upside-down", "Divides the original length by the new one to find a scale factor"
)
DIFFERENCE_ONLY = rule("term-rule-for-term", "Gives the rule from term to term instead of the next term")
ALL_DIMENSIONS = rule("all-dimensions-multiplied", "Multiplies every length that is given to find an area")
LENGTHS_ADDED = rule("area-by-adding", "Adds the lengths to find an area")
SLANT = rule("slanting-side-as-height", "Uses a sloping side as the height")
