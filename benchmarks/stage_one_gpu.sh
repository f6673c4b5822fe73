#!/usr/bin/env bash
# Stage 1 on real Eedi, many processes on one GPU: five folds and the 0.6-unseen split at three training lengths, with and
# without hints and explanations. A result is packed as it comes: RESULTS (default runs/stage_one_gpu).
#   DATA=../shared/data/eedi MODEL=bundled:all-MiniLM-L6-v2 bash benchmarks/stage_one_gpu.sh
# Trained once a fold (training.refit=false); LIMIT seconds a process.
set -u
DATA=${DATA:-../shared/data/eedi} MODEL=${MODEL:-bundled:all-MiniLM-L6-v2} RESULTS=${RESULTS:-runs/stage_one_gpu} LIMIT=${LIMIT:-3600}
export OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1
mkdir -p "$RESULTS"
EVALUATE="timeout $LIMIT python3 pipelines/evaluate_retrieval.py --train $DATA/train.csv --misconceptions $DATA/misconception_mapping.csv --config pipelines/configs/gpu.toml --set training.refit=false --set retriever.model=$MODEL"
TEXTS="--hints $DATA/hints.csv --explanations $DATA/explanations.csv"
for fold in 0 1 2 3 4; do
    $EVALUATE $TEXTS --folds 5 --only-fold $fold --output "$RESULTS/texts-fold$fold" > "$RESULTS/texts-fold$fold.log" 2>&1 &
    $EVALUATE --folds 5 --only-fold $fold --output "$RESULTS/fold$fold" > "$RESULTS/fold$fold.log" 2>&1 &
done
for epochs in 8 4 12; do
    $EVALUATE $TEXTS --unseen 0.6 --set training.epochs=$epochs --output "$RESULTS/texts-unseen$epochs" > "$RESULTS/texts-unseen$epochs.log" 2>&1 &
    $EVALUATE --unseen 0.6 --set training.epochs=$epochs --output "$RESULTS/unseen$epochs" > "$RESULTS/unseen$epochs.log" 2>&1 &
done
wait
grep -HE "^  (BM25|TF-IDF|zero-shot|trained retriever|stage 1) |^Stopped|Error" "$RESULTS"/*.log | sed "s|$RESULTS/||" | cut -c1-140
