"""Two halves of a validation part, so that weights fitted on one are scored on the other."""

from collections.abc import Sequence

from core.records import Query
from eval.groups import question_groups


def halves(queries: Sequence[Query]) -> list[int]:
    """Return for every query the half it belongs to, 0 or 1: whole question groups, dealt out in turn.

    Weights that are fitted on the rows they are scored on look better than they are; fitted on the other half, they
    do not, and no row is lost for either.
    """
    questions = list(dict.fromkeys(query.question for query in queries))
    half = dict(zip(questions, (question_groups(questions) % 2).tolist(), strict=True))
    return [half[query.question] for query in queries]
