#!/usr/bin/env bash
# What explanations written by a language model are worth: MAP@25 of stage 1 without any, with the real ones of the
# Eedi folder, and with those that WRITER has written from the names alone. Killed, it goes on.
#   DATA=../shared/data/eedi WRITER=models/instruct-7b ENGINE=vllm bash benchmarks/explanation_quality_gpu.sh
# WRITER: any model for --model ("" with an endpoint); ENGINE: transformers, or the name of a table that EXTRA describes
# (--set engines.vllm.kind=vllm is set for ENGINE=vllm). SPLIT: options of evaluate_retrieval.py. CONFIG: its config.
set -eu
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
WRITER=${WRITER-bundled:SmolLM2-135M-Instruct} ENGINE=${ENGINE:-transformers} REAL=${REAL:-$DATA/explanations.csv}
CONFIG=${CONFIG:-pipelines/configs/gpu.toml} SPLIT=${SPLIT:---unseen 0.6} RESULTS=${RESULTS:-runs/explanation_quality}
[ "$ENGINE" = vllm ] && EXTRA="--set engines.vllm.kind=vllm $EXTRA"
mkdir -p "$RESULTS"

# shellcheck disable=SC2086 - EXTRA and SPLIT are options
"$PYTHON" pipelines/explain_misconceptions.py --misconceptions "$BANK" --output "$RESULTS/written" \
    ${WRITER:+--model "$WRITER"} --engine "$ENGINE" $EXTRA | tee "$RESULTS/written.log"
for kind in none real written; do
    case $kind in
        none) with= ;;
        real) with="--explanations $REAL" ;;
        written) with="--explanations $RESULTS/written/explanations.csv" ;;
    esac
    "$PYTHON" pipelines/evaluate_retrieval.py --train "$DATA/train.csv" --misconceptions "$BANK" --config "$CONFIG" \
        $SPLIT $with --output "$RESULTS/$kind" > "$RESULTS/$kind.log" 2>&1
done
grep -HE "^  (zero-shot|trained retriever|stage 1) " "$RESULTS"/{none,real,written}.log | sed "s|$RESULTS/||"
