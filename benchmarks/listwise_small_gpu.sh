#!/usr/bin/env bash
# Small rerankers over the best stage 1 on real Eedi, five folds at once on one GPU; what is done is not done again, so a run
# that was cut off is started again with the same RESULTS.
#   DATA=../shared/data/eedi MODEL=bundled:all-MiniLM-L6-v2 LM=bundled:SmolLM2-135M-Instruct bash benchmarks/listwise_small_gpu.sh
# STEPS="retrievers variants summary" chooses; VARIANTS as in listwise_small.toml; TEXTS=1 adds hints and explanations;
# LIMIT seconds a process. EXTRA: further options (a recipe of stage 1: "--set training.batch_size=32"; "--synthetic MADE"). WORK: folders of the
# folds with their retrievers, for instance those that stage_one_gpu.sh and rerank_gpu.sh left ('…/texts/fold{fold}').
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
RESULTS=${RESULTS:-runs/listwise_small} WORK=${WORK:-$RESULTS/fold{fold\}} LIMIT=${LIMIT:-560} FOLDS=${FOLDS:-0 1 2 3 4}
STEPS=${STEPS:-retrievers variants summary} VARIANTS=${VARIANTS:-cross-residual,pointwise,ensemble,cross-wide,listwise}
export OMP_NUM_THREADS=1
mkdir -p "$RESULTS"
TEXT_FILES=()
[ "${TEXTS:-0}" = 1 ] && TEXT_FILES=(--hints "$DATA/hints.csv" --explanations "$DATA/explanations.csv")
small() { # LOG ARGUMENTS
    local log=$1
    shift
    timeout -k 10 "$LIMIT" "$PYTHON" benchmarks/listwise_small.py --train "$DATA/train.csv" \
        --misconceptions "$BANK" --config "pipelines/configs/${CONFIG:-gpu}.toml" \
        ${TEXT_FILES[@]+"${TEXT_FILES[@]}"} --set training.refit=false --set "retriever.model=$MODEL" $EXTRA --base-model "$LM" \
        --work "$WORK" --output "$RESULTS/out" "$@" > "$RESULTS/$log.log" 2>&1 ||
        { echo "$log failed or was cut off"; tail -n 4 "$RESULTS/$log.log"; }
}
for step in $STEPS; do
    case $step in
    retrievers)
        for fold in $FOLDS; do
            for part in 0 1 2; do small "fold$fold-part$part" --only-fold "$fold" --out-of-fold $part & done
        done
        wait
        ;;
    variants)
        for fold in $FOLDS; do small "fold$fold-variants" --only-fold "$fold" --variants "$VARIANTS" & done
        wait
        ;;
    summary)
        "$PYTHON" benchmarks/listwise_small.py --output "$RESULTS/out" --summarise
        for fold in $FOLDS; do
            for scores in "${WORK//{fold\}/$fold}"/order_scores-reranked-listwise-*.parquet; do
                [ -f "$scores" ] && "$PYTHON" benchmarks/adaptive_curve.py --name "fold $fold" --scores "$scores" \
                    --train "$DATA/train.csv" --output "$RESULTS/out/adaptive.jsonl"
            done
        done
        ;;
    *) echo "no such step: $step" >&2 ;;
    esac
done
