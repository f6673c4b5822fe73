#!/usr/bin/env bash
# Stage 1 on real Eedi, several processes on one or more GPUs; a result is written as it comes, into RESULTS.
#   DATA=../shared/data/eedi MODEL=bundled:all-MiniLM-L6-v2 GPUS=1 bash benchmarks/stage_one_gpu.sh STEP…
# STEPs: folds, texts (five folds without and with hints and explanations), lengths, texts-lengths (0.6-unseen
# split at 4, 8 and 12 epochs, always gpu.toml), best (0.6-unseen split, without and with texts). CONFIG: a name under
# pipelines/configs (gpu_best); EXTRA: further options. PLAIN and LONG: how
# many at a time without and with texts (a training with explanations takes about 20 GB). LIMIT: seconds a process. FOLDS: of
# the steps folds and texts (0 1 2 3 4); with fewer than five nothing is put together.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
RESULTS=${RESULTS:-runs/stage_one_gpu} LIMIT=${LIMIT:-3600} CONFIG=${CONFIG:-gpu_best} PLAIN=${PLAIN:-5} LONG=${LONG:-2}
FOLDS=${FOLDS:-0 1 2 3 4}
export OMP_NUM_THREADS=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True
mkdir -p "$RESULTS"

evaluate() { # SLOT CONFIG TEXTS NAME LOG OPTION…
    local slot=$1 config=$2 texts=$3 name=$4 log=$5; shift 5
    [ "$texts" = yes ] && set -- "$@" --hints "$DATA/hints.csv" --explanations "$DATA/explanations.csv"
    on_gpu "$slot" "$RESULTS/$log.log" "$PYTHON" pipelines/evaluate_retrieval.py --train "$DATA/train.csv" \
        --misconceptions "$BANK" --config "pipelines/configs/$config.toml" --set "retriever.model=$MODEL" --set threads=1 \
        --output "$RESULTS/$name" $EXTRA "$@" || echo "failed: $log"
}

for step in "$@"; do
    case $step in
        folds) for k in $FOLDS; do echo "$CONFIG no folds folds-$k --folds 5 --only-fold $k"; done | at_a_time "$PLAIN" evaluate ;;
        texts) for k in $FOLDS; do echo "$CONFIG yes texts texts-$k --folds 5 --only-fold $k"; done | at_a_time "$LONG" evaluate ;;
        lengths) for e in 12 8 4; do echo "gpu no unseen$e unseen$e --unseen 0.6 --set training.epochs=$e"; done | at_a_time "$PLAIN" evaluate ;;
        texts-lengths) for e in 12 8 4; do echo "gpu yes texts-unseen$e texts-unseen$e --unseen 0.6 --set training.epochs=$e"; done | at_a_time "$((LONG * 2))" evaluate ;;
        best) printf "$CONFIG %s best-%s best-%s --unseen 0.6\n" yes texts texts no plain plain | at_a_time "$LONG" evaluate ;;
    esac
    # All artifacts are there: the same command without --only-fold only puts the folds together.
    [ "$FOLDS" = "0 1 2 3 4" ] || continue
    case $step in
        folds) evaluate 0 $CONFIG no folds folds --folds 5 ;;
        texts) evaluate 0 $CONFIG yes texts texts --folds 5 ;;
    esac
done
grep -HE "^  (BM25|TF-IDF|zero-shot|trained retriever|stage 1) |^Stopped|Error" "$RESULTS"/*.log | sed "s|$RESULTS/||" | cut -c1-140
