"""Metrics, splits, intervals and tests, submission and report."""
