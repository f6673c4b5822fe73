"""More entries without questions: algebra, shapes, measures, sequences, data (see `synth.bank_extras`)."""

FURTHER_EXTRAS: tuple[tuple[str, str], ...] = (
    (
        "Treats a letter as the name of an object instead of a number",
        "3a is read as three apples and not as three times a value.",
    ),
    (
        "Believes different letters must stand for different numbers",
        "Solutions in which two unknowns are equal are rejected.",
    ),
    (
        "Subtracts the coefficients of unlike terms",
        "Terms with different letters are combined as though they were alike.",
    ),
    (
        "Multiplies the last term of a bracket only",
        "The factor outside is applied to the number and not to the letter.",
    ),
    (
        "Factorises only part of an expression by a common factor",
        "One term is divided by the factor and the other is copied.",
    ),
    (
        "Takes the difference of two squares for the square of a difference",
        "Writes two equal brackets where the signs should differ.",
    ),
    (
        "Gives only the positive solution of a quadratic equation",
        "The second root is overlooked.",
    ),
    (
        "Subtracts the number from the wrong side of an equation only",
        "The operation is carried out on one side and not on both.",
    ),
    (
        "Reverses an inequality whenever a number is subtracted",
        "The rule for negative factors is applied to differences.",
    ),
    (
        "Includes the boundary value in a strict inequality",
        "Does not distinguish 'less than' from 'less than or equal to'.",
    ),
    (
        "Multiplies all the sides to find a perimeter",
        "Every length on the boundary is used as a factor.",
    ),
    (
        "Halves the area of a parallelogram",
        "The formula for a triangle is used for a shape with parallel sides.",
    ),
    (
        "Adds the parallel sides of a trapezium without halving",
        "The mean of the parallel sides is not formed before multiplying by the height.",
    ),
    (
        "Uses the radius for the diameter when reading a diagram of a circle",
        "A line from the centre is measured as though it went all the way across.",
    ),
    (
        "Finds the area of a sector as a fraction of the circumference",
        "The part of the edge is given where the part of the area is wanted.",
    ),
    (
        "Counts only the visible faces of a solid",
        "Faces hidden in the drawing are left out of the surface area.",
    ),
    (
        "Thinks vertically opposite angles add to a half turn",
        "Angles that are equal are treated as supplementary.",
    ),
    (
        "Assumes corresponding angles make a straight angle",
        "Equal angles on parallel lines are subtracted from 180 degrees.",
    ),
    (
        "Believes an angle is larger when its arms are drawn longer",
        "Compares the lengths of the lines and not the turn between them.",
    ),
    (
        "Reads a protractor from the wrong scale",
        "An acute angle is given as its supplement or the other way round.",
    ),
    (
        "Subtracts the exterior angle from 360 degrees to get the interior one",
        "The two angles at a corner are thought to make a full turn.",
    ),
    (
        "Rotates a shape in the opposite direction",
        "Clockwise and anticlockwise are confused.",
    ),
    (
        "Translates by a vector with its components exchanged",
        "The upper number is used for the vertical movement.",
    ),
    (
        "Thinks parallel lines have gradients of opposite sign",
        "The conditions for parallel and for perpendicular lines are mixed up.",
    ),
    (
        "Counts squares of the grid without looking at the scale of the axes",
        "A gradient or distance is found as though every square were one unit.",
    ),
    (
        "Multiplies by the conversion factor when changing to a larger unit",
        "A larger unit is thought to need a larger number.",
    ),
    (
        "Converts cubic units with the factor for areas",
        "Only two of three dimensions are converted.",
    ),
    (
        "Divides time by distance to find a speed",
        "The quotient is formed upside down, giving hours for each kilometre.",
    ),
    (
        "Reads times in the afternoon as if the day had ten-hour halves",
        "Takes ten instead of twelve off a 24-hour time.",
    ),
    (
        "Believes every sequence is linear once two terms are known",
        "A rule is fixed from two terms and not tested on the others.",
    ),
    (
        "Adds the differences instead of continuing their pattern in a quadratic sequence",
        "The last first difference is repeated though the differences grow.",
    ),
    (
        "Uses the second difference itself as the coefficient of n squared",
        "The halving step is left out for quadratic sequences.",
    ),
    (
        "Gives the highest frequency as the mode",
        "How often the commonest value occurs is reported, not the value.",
    ),
    (
        "Thinks zeros among the data do not count towards the mean",
        "Values of nought are left out of the number of values.",
    ),
    (
        "Takes the middle of the frequency column as the median",
        "The frequencies are ordered where the data should be.",
    ),
    (
        "Uses the ends of the classes instead of their midpoints for an estimated mean",
        "Each group is represented by its upper limit.",
    ),
    (
        "Reads the height of a histogram bar as its frequency",
        "Frequency density and frequency are not distinguished.",
    ),
    (
        "Expects a fair coin to make up for earlier results",
        "After several heads a tail is thought to be due.",
    ),
    (
        "Multiplies the probabilities of two events that exclude each other",
        "'Or' is treated like 'and'.",
    ),
    (
        "Gives a probability as a ratio of the two outcomes",
        "Odds are written where a fraction of all cases is needed.",
    ),
)
"""Pairs of a name and an explanation, in our own words."""
