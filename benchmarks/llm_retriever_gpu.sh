#!/usr/bin/env bash
# SmolLM2-135M as a retriever on real Eedi: alone, beside MiniLM, five folds' adapters averaged or as an ensemble; all seven
# trainings share one GPU. What is done is not done again: a run that was cut off is started again with the same RESULTS.
#   DATA=../shared/data/eedi MINILM=bundled:all-MiniLM-L6-v2 LM=bundled:SmolLM2-135M-Instruct bash benchmarks/llm_retriever_gpu.sh
# STEPS="train average summary" chooses; MEMBERS what is trained; AT_A_TIME processes; SETS="training.epochs=3 …" config values
# of the adapters, MINILM_SETS MiniLM's; LIMIT seconds a process.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
MINILM=${MINILM:-bundled:all-MiniLM-L6-v2} RESULTS=${RESULTS:-runs/llm_retriever} LIMIT=${LIMIT:-240} STEPS=${STEPS:-train average summary}
MEMBERS=${MEMBERS:-smollm2 minilm part0 part1 part2 part3 part4} AT_A_TIME=${AT_A_TIME:-7} SETS=${SETS:-} MINILM_SETS=${MINILM_SETS:-training.epochs=8}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2} PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True
offline
mkdir -p "$RESULTS"
sets=()
for value in $SETS; do sets+=(--set-lm "$value"); done
for value in $MINILM_SETS; do sets+=(--set-minilm "$value"); done
study() { # LOG ACTION NAMES…
    local log=$1
    shift
    limited "$log" 6 "$PYTHON" benchmarks/llm_retriever.py "$@" --train "$DATA/train.csv" --misconceptions "$BANK" \
        --work "$RESULTS" --lm "$LM" --minilm "$MINILM" ${sets[@]+"${sets[@]}"}
}
for step in $STEPS; do
    case $step in
    train)
        running=0
        for member in $MEMBERS; do
            study "$member" train "$member" &
            running=$((running + 1))
            [ "$running" -ge "$AT_A_TIME" ] && { wait -n; running=$((running - 1)); }
        done
        wait
        ;;
    average) study average average ;;
    summary) study summary summary && cat "$RESULTS/summary.log" ;;
    *) echo "no such step: $step" >&2 ;;
    esac
done
