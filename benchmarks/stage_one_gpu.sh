#!/usr/bin/env bash
# Stage 1 on real Eedi, several processes on one or more GPUs; a result is written as it comes, into RESULTS.
#   DATA=../shared/data/eedi MODEL=bundled:all-MiniLM-L6-v2 GPUS=1 bash benchmarks/stage_one_gpu.sh STEP…
# STEPs: folds, texts (five folds without and with hints and explanations), lengths, texts-lengths (0.6-unseen
# split at 4, 8 and 12 epochs, always gpu.toml), best (0.6-unseen split, without and with texts). CONFIG: a name under
# pipelines/configs (gpu_best); EXTRA: further options. PLAIN and LONG: how
# many at a time without and with texts (a training with explanations takes about 20 GB). LIMIT: seconds a process.
set -u
DATA=${DATA:-../shared/data/eedi} MODEL=${MODEL:-bundled:all-MiniLM-L6-v2} RESULTS=${RESULTS:-runs/stage_one_gpu} LIMIT=${LIMIT:-3600}
CONFIG=${CONFIG:-gpu_best} GPUS=${GPUS:-1} FIRST_GPU=${FIRST_GPU:-0} PLAIN=${PLAIN:-5} LONG=${LONG:-2} PYTHON=${PYTHON:-python3}
export OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True
EXTRA=${EXTRA:-}; export EXTRA CONFIG DATA MODEL RESULTS LIMIT GPUS FIRST_GPU PYTHON
mkdir -p "$RESULTS"

evaluate() { # SLOT CONFIG TEXTS NAME LOG OPTION… ; tried twice: a training goes on from its last epoch
    local slot=$1 config=$2 texts=$3 name=$4 log=$5; shift 5
    [ "$texts" = yes ] && set -- "$@" --hints "$DATA/hints.csv" --explanations "$DATA/explanations.csv"
    for _ in 1 2; do
        CUDA_VISIBLE_DEVICES=$((FIRST_GPU + slot % GPUS)) timeout "$LIMIT" "$PYTHON" pipelines/evaluate_retrieval.py --train "$DATA/train.csv" \
            --misconceptions "$DATA/misconception_mapping.csv" --config "pipelines/configs/$config.toml" \
            --set "retriever.model=$MODEL" --set threads=1 --output "$RESULTS/$name" $EXTRA "$@" > "$RESULTS/$log.log" 2>&1 && return
    done
    echo "failed: $log"
}
export -f evaluate

at_a_time() { xargs -P "$1" -L 1 --process-slot-var=SLOT bash -c 'evaluate "$SLOT" "$@"' _; }

for step in "$@"; do
    case $step in
        folds) for k in 0 1 2 3 4; do echo "$CONFIG no folds folds-$k --folds 5 --only-fold $k"; done | at_a_time "$PLAIN" ;;
        texts) for k in 0 1 2 3 4; do echo "$CONFIG yes texts texts-$k --folds 5 --only-fold $k"; done | at_a_time "$LONG" ;;
        lengths) for e in 12 8 4; do echo "gpu no unseen$e unseen$e --unseen 0.6 --set training.epochs=$e"; done | at_a_time "$PLAIN" ;;
        texts-lengths) for e in 12 8 4; do echo "gpu yes texts-unseen$e texts-unseen$e --unseen 0.6 --set training.epochs=$e"; done | at_a_time "$((LONG * 2))" ;;
        best) printf "$CONFIG %s best-%s best-%s --unseen 0.6\n" yes texts texts no plain plain | at_a_time "$LONG" ;;
    esac
    # All artifacts are there: the same command without --only-fold only puts the folds together.
    case $step in
        folds) evaluate 0 $CONFIG no folds folds --folds 5 ;;
        texts) evaluate 0 $CONFIG yes texts texts --folds 5 ;;
    esac
done
grep -HE "^  (BM25|TF-IDF|zero-shot|trained retriever|stage 1) |^Stopped|Error" "$RESULTS"/*.log | sed "s|$RESULTS/||" | cut -c1-140
