#!/usr/bin/env bash
# Cross-encoders over the best stage 1 with texts (see rerank_folds.py), after `stage_one_gpu.sh texts`; same variables.
#   DATA=../shared/data/eedi MODEL=bundled:all-MiniLM-L6-v2 GPUS=1 bash benchmarks/rerank_gpu.sh out-of-fold variants
# LONG: retrievers trained at a time; VARIANTS: rerankers trained at a time; FOLDS and PARTS (of a fold) choose.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
RESULTS=${RESULTS:-runs/stage_one_gpu} LIMIT=${LIMIT:-3600} LONG=${LONG:-2} VARIANTS=${VARIANTS:-8}
FOLDS=${FOLDS:-0 1 2 3 4} PARTS=${PARTS:-0 1 2}
export CONFIG=${CONFIG:-gpu_best} OMP_NUM_THREADS=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True
mkdir -p "$RESULTS/rerank"

rerank() { # SLOT LOG OPTION…
    local slot=$1 log=$2; shift 2
    on_gpu "$slot" "$RESULTS/rerank/$log.log" "$PYTHON" benchmarks/rerank_folds.py --train "$DATA/train.csv" \
        --misconceptions "$BANK" --hints "$DATA/hints.csv" --explanations "$DATA/explanations.csv" \
        --config "pipelines/configs/$CONFIG.toml" --set "retriever.model=$MODEL" --set threads=1 \
        --work "$RESULTS/texts/fold{fold}" --output "$RESULTS/rerank" $EXTRA "$@" || echo "failed: $log"
}

for step in "$@"; do
    case $step in
        out-of-fold)
            for k in $FOLDS; do for j in $PARTS; do echo "out-of-fold-$k-$j --only-fold $k --out-of-fold $j"; done; done \
                | at_a_time "$LONG" rerank ;;
        variants)
            # The first variant of a fold makes its out-of-fold rankings, which the others read.
            for k in $FOLDS; do echo "first-$k --only-fold $k --variants from-retriever"; done | at_a_time "$VARIANTS" rerank
            for v in residual longer from-minilm longer-residual wide-score; do
                for k in $FOLDS; do echo "$v-$k --only-fold $k --variants $v"; done
            done | at_a_time "$VARIANTS" rerank
            "$PYTHON" benchmarks/rerank_folds.py --output "$RESULTS/rerank" --summarise ;;
    esac
done
