#!/usr/bin/env bash
# What hints do to stage 1 on real Eedi: none, the teacher's, a reasoner's, the untaught base's; folds side by side on one GPU.
# What is done is not done again, so a run that was cut off is started again with the same RESULTS.
#   DATA=../shared/data/eedi MODEL=bundled:all-MiniLM-L6-v2 LM=bundled:SmolLM2-135M-Instruct bash benchmarks/hint_quality_gpu.sh
# FOLDS chooses; STEPS: once, and retrain when all folds have been through once (their hints train each other's retrievers);
# EXTRA: further --set options; LIMIT seconds a process.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
RESULTS=${RESULTS:-runs/hint_quality} LIMIT=${LIMIT:-560} FOLDS=${FOLDS:-0 1 2 3 4} STEPS=${STEPS:-once}
export OMP_NUM_THREADS=1
mkdir -p "$RESULTS"
run() { # FOLD OPTION…
    local fold=$1
    shift
    timeout -k 10 "$LIMIT" "$PYTHON" benchmarks/hint_quality.py --train "$DATA/train.csv" --hints "$DATA/hints.csv" \
        --misconceptions "$BANK" --config "${CONFIG:-pipelines/configs/gpu.toml}" --set threads=1 \
        --set training.refit=false --set "retriever.model=$MODEL" --set "reasoner_training.base=$LM" --set hints.max_tokens=200 \
        --set hints.writer.batch=256 --untaught $EXTRA --work "$RESULTS" --only-fold "$fold" "$@" >> "$RESULTS/fold$fold.log" 2>&1 ||
        { echo "fold $fold failed or was cut off"; tail -n 4 "$RESULTS/fold$fold.log"; }
}
for step in $STEPS; do
    for fold in $FOLDS; do
        case $step in
        once) run "$fold" & ;;
        retrain) run "$fold" --retrain & ;;
        esac
    done
    wait
done
grep -h "learnt from\|MAP@25" "$RESULTS"/fold?.log
"$PYTHON" benchmarks/hint_quality.py --work "$RESULTS" --summarise
