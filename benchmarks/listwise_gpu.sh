#!/usr/bin/env bash
# The listwise path on 32B shapes with random weights, step by step; every step appends its line to RESULTS/listwise.jsonl
# as it comes, and one that fails or runs into its LIMIT leaves the others alone.
#   DATA=../shared/data/eedi TOKENIZER=qwen2.5 RETRIEVER=MODEL bash benchmarks/listwise_gpu.sh
#   STEPS="fp8 awq" … chooses steps; STEPS=tp needs two GPUs; SHAPE=tiny is a rehearsal on a CPU
# Steps: fp8 (with the adaptive orders), awq, bf16, transformers, end-to-end, tp (bf16 and fp8 on TP GPUs, "1 2"), summary.
# QUERIES are timed (a query is two prompts), REPEATS times, the product with BATCH_QUERIES under way at once; EAGER=1
# leaves compilation and CUDA graphs out (starts a minute sooner).
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
RETRIEVER=${RETRIEVER:-bundled:all-MiniLM-L6-v2} RESULTS=${RESULTS:-runs/listwise_gpu} STEPS=${STEPS:-fp8 awq bf16 transformers end-to-end summary} LIMIT=${LIMIT:-280}
SHAPE=${SHAPE:-32b} QUERIES=${QUERIES:-192} BATCH_QUERIES=${BATCH_QUERIES:-512} TP=${TP:-1 2} REPEATS=${REPEATS:-2} EAGER=${EAGER:-1} BATCH_TOKENS=${BATCH_TOKENS:-8192}
WORK=${WORK:-$RESULTS/work}
no_multicast
offline
mkdir -p "$RESULTS"
speed() { # NAME ARGUMENTS
    local name=$1 extra=()
    shift
    [ "$EAGER" = 1 ] && extra+=(--enforce-eager)
    [ "$SHAPE" = tiny ] && extra+=(--tiny)
    limited "$name" 15 "$PYTHON" benchmarks/listwise_speed.py "$@" --shape "$SHAPE" --data "$DATA" --tokenizer "$TOKENIZER" \
        --work "$WORK" --output "$RESULTS/listwise.jsonl" --queries "$QUERIES" --repeats "$REPEATS" \
        --batch-tokens "$BATCH_TOKENS" --batch-queries "$BATCH_QUERIES" --retriever "$RETRIEVER" ${extra[@]+"${extra[@]}"}
}
for step in $STEPS; do
    case $step in
    fp8) speed fp8 product adaptive --quantization fp8 ;;
    awq) speed awq product --quantization awq ;;
    bf16) speed bf16 product --quantization bf16 ;;
    transformers) speed transformers transformers ;;
    end-to-end) speed end-to-end end-to-end --quantization fp8 --set engines.vllm.load_format=dummy ;;
    tp)
        for size in $TP; do
            speed "bf16-tp$size" product --quantization bf16 --tensor-parallel $size
            speed "fp8-tp$size" product --quantization fp8 --tensor-parallel $size
        done
        ;;
    summary) "$PYTHON" benchmarks/listwise_speed.py summary --output "$RESULTS/listwise.jsonl" ;;
    *) echo "no such step: $step" >&2 ;;
    esac
done
