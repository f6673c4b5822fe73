#!/usr/bin/env bash
# QLoRA optimiser steps on true shapes with random weights (nothing is downloaded), this project's trainers beside loops
# written by hand; every step appends its lines to RESULTS/lora.jsonl as it comes, and one that fails or runs into its LIMIT
# leaves the others alone.
#   DATA=../shared/data/eedi TOKENIZER=qwen2.5 bash benchmarks/lora_steps_gpu.sh
#   STEPS="two-rerankers two-retrievers summary" bash …     on two GPUs, with the RESULTS of one GPU there
#   SHAPE=tiny is a rehearsal on a CPU
# Steps: reranker (32B, 25 candidates, 8 lists), retriever (14B, 32 queries x 4 negatives, cached loss), retriever-kept (the
# same without gradient checkpointing, in passes of MICRO_TEXTS), two-rerankers, two-retrievers (torchrun; the batch of one
# GPU on each, then the same batch over both, which WEAK=1 leaves out), summary.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
RESULTS=${RESULTS:-runs/lora_gpu} LIMIT=${LIMIT:-120}
STEPS=${STEPS:-reranker retriever retriever-kept summary} SHAPE=${SHAPE:-true} TIMED=${TIMED:-4} WARM_UP=${WARM_UP:-2}
PRESET=${PRESET:-r64} MICRO_TEXTS=${MICRO_TEXTS:-16} WORK=${WORK:-$RESULTS/work}
RERANKER=${RERANKER:-32b} RETRIEVER=${RETRIEVER:-14b} WEAK=${WEAK:-0}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-4} PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True
no_multicast
offline
mkdir -p "$RESULTS"
lists=8 queries=32 extra=()
[ "$SHAPE" = tiny ] && lists=2 queries=4 extra=(--tiny)
steps() { # NAME PROCESSES ARGUMENTS
    local name=$1 processes=$2 start=("$PYTHON")
    shift 2
    [ "$processes" = 1 ] || start=("$PYTHON" -m torch.distributed.run --standalone --nproc-per-node "$processes")
    limited "$name" 15 "${start[@]}" benchmarks/lora_steps.py "$@" --data "$DATA" --tokenizer "$TOKENIZER" --preset "$PRESET" \
        --work "$WORK" --output "$RESULTS/lora.jsonl" --steps "$TIMED" --warm-up "$WARM_UP" ${extra[@]+"${extra[@]}"}
}
for step in $STEPS; do
    case $step in
    reranker) steps reranker 1 reranker --shape "$RERANKER" --batch $lists ;;
    retriever) steps retriever 1 retriever --shape "$RETRIEVER" --batch $queries ;;
    retriever-kept)
        steps retriever-kept 1 retriever --shape "$RETRIEVER" --batch $queries --no-checkpointing --micro-texts "$MICRO_TEXTS"
        ;;
    two-rerankers)
        for batch in $((2 * lists)) $([ "$WEAK" = 1 ] || echo $lists); do
            steps "two-rerankers-$batch" 2 reranker --shape "$RERANKER" --batch "$batch" --ways product
        done
        ;;
    two-retrievers)
        for batch in $((2 * queries)) $([ "$WEAK" = 1 ] || echo $queries); do
            steps "two-retrievers-$batch" 2 retriever --shape "$RETRIEVER" --batch "$batch" --ways product
        done
        ;;
    summary) "$PYTHON" benchmarks/lora_steps.py summary --output "$RESULTS/lora.jsonl" ;;
    *) echo "no such step: $step" >&2 ;;
    esac
done
