"""Stage 1: from a question and a wrong answer to the top-N misconceptions of a bank."""
