"""Made data: procedural questions from mal-rules."""
