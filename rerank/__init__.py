"""Stage 2: rerankers, which order the candidates that stage 1 found."""
