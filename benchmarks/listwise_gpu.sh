#!/usr/bin/env bash
# The listwise path on 32B shapes with random weights, step by step; every step appends its line to RESULTS/listwise.jsonl
# as it comes, and one that fails or runs into its LIMIT leaves the others alone.
#   DATA=../shared/data/eedi TOKENIZER=qwen2.5 RETRIEVER=MODEL bash benchmarks/listwise_gpu.sh
#   STEPS="fp8 awq" … chooses steps; STEPS=tp needs two GPUs; SHAPE=tiny is a rehearsal on a CPU
# Steps: fp8 (with the adaptive orders), awq, bf16, transformers, end-to-end, tp (bf16 and fp8 on TP GPUs, "1 2"), summary.
# QUERIES are timed (a query is two prompts), REPEATS times, the product with BATCH_QUERIES under way at once; EAGER=1
# leaves compilation and CUDA graphs out (starts a minute sooner).
set -u
DATA=${DATA:-../shared/data/eedi} TOKENIZER=${TOKENIZER:-qwen2.5} RETRIEVER=${RETRIEVER:-bundled:all-MiniLM-L6-v2}
RESULTS=${RESULTS:-runs/listwise_gpu} STEPS=${STEPS:-fp8 awq bf16 transformers end-to-end summary} LIMIT=${LIMIT:-280}
SHAPE=${SHAPE:-32b} QUERIES=${QUERIES:-192} BATCH_QUERIES=${BATCH_QUERIES:-512} TP=${TP:-1 2} REPEATS=${REPEATS:-2} EAGER=${EAGER:-1} BATCH_TOKENS=${BATCH_TOKENS:-8192}
PYTHON=${PYTHON:-python3} WORK=${WORK:-$RESULTS/work}
# NVLink multicast stays off: on a shared host it can put the GPUs out of service.
export NCCL_NVLS_ENABLE=0 TORCH_SYMM_MEM_DISABLE_MULTICAST=1 NVSHMEM_DISABLE_NVLS=1 VLLM_ALLREDUCE_USE_SYMM_MEM=0
export VLLM_USE_NCCL_SYMM_MEM=0 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
export PYTHONUNBUFFERED=1 PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
mkdir -p "$RESULTS"
speed() { # NAME ARGUMENTS
    local name=$1 began=$SECONDS extra=()
    shift
    [ "$EAGER" = 1 ] && extra+=(--enforce-eager)
    [ "$SHAPE" = tiny ] && extra+=(--tiny)
    timeout -k 10 "$LIMIT" "$PYTHON" benchmarks/listwise_speed.py "$@" --shape "$SHAPE" --data "$DATA" --tokenizer "$TOKENIZER" \
        --work "$WORK" --output "$RESULTS/listwise.jsonl" --queries "$QUERIES" --repeats "$REPEATS" \
        --batch-tokens "$BATCH_TOKENS" --batch-queries "$BATCH_QUERIES" --retriever "$RETRIEVER" ${extra[@]+"${extra[@]}"} > "$RESULTS/$name.log" 2>&1
    local status=$?
    echo "$name: exit status $status after $((SECONDS - began)) s"
    [ $status = 0 ] || tail -n 15 "$RESULTS/$name.log"
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
