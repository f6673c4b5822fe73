#!/usr/bin/env bash
# What procedural questions are worth on real Eedi, MiniLM on one or more GPUs; results are written as they come.
#   DATA=../shared/data/eedi MODEL=bundled:all-MiniLM-L6-v2 GPUS=2 bash benchmarks/synthetic_gpu.sh STEP…
# STEPs: made (the questions; CPU, half a minute), unseen (0.6-unseen split: real, then + procedural, for each VARIANT), folds
# (five folds, the variant FOLDS_VARIANT). VARIANTS are names below. EPOCHS: of each training. PER_GPU: trainings at a time
# on a GPU. LIMIT: seconds a process. EXTRA: further options of every run. ROWS: labelled answers of each entry.
set -u
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"
RESULTS=${RESULTS:-runs/synthetic_gpu} LIMIT=${LIMIT:-900}
PER_GPU=${PER_GPU:-5} ROWS=${ROWS:-8}
VARIANTS=${VARIANTS:-mixed mixed-half unseen unseen-half first neighbours} FOLDS_VARIANT=${FOLDS_VARIANT:-unseen-half}
export EPOCHS=${EPOCHS:-8} CONFIG=${CONFIG:-gpu} OMP_NUM_THREADS=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True
mkdir -p "$RESULTS"

options() { # VARIANT
    case $1 in
        mixed) echo "--set synthetic.weight=1.0" ;;
        mixed-half) echo "--set synthetic.weight=0.5" ;;
        unseen) echo "--set synthetic.labels=unseen" ;;
        unseen-half) echo "--set synthetic.labels=unseen --set synthetic.weight=0.5" ;;
        first) echo "--set synthetic.mode=first --set synthetic.epochs=3" ;;
        neighbours) echo "--set synthetic.labels=unseen --set synthetic.weight=0.5 --set synthetic.neighbours=true" ;;
    esac
}

ablate() { # SLOT NAME VARIANT OPTION…
    local slot=$1 name=$2 variant=$3; shift 3
    # shellcheck disable=SC2046,SC2086
    on_gpu "$slot" "$RESULTS/$name-${*//[^a-z0-9]/}.log" "$PYTHON" pipelines/ablate_synthetic.py --train "$DATA/train.csv" \
        --misconceptions "$BANK" --procedural "$RESULTS/made" --output "$RESULTS/$name" \
        --config "pipelines/configs/$CONFIG.toml" --set "retriever.model=$MODEL" --set threads=1 --set zero_shot=false \
        --set "training.epochs=$EPOCHS" --set training.refit=false $(options "$variant") $EXTRA "$@" || echo "failed: $name $*"
}
export -f options
pool() { at_a_time "$((GPUS * PER_GPU))" ablate; }

for step in "$@"; do
    case $step in
        made)
            "$PYTHON" pipelines/procedural_questions.py --misconceptions "$BANK" \
                --train "$DATA/train.csv" --unlike "$DATA/test.csv" --rows-each "$ROWS" --output "$RESULTS/made" \
                | tee "$RESULTS/made.log" ;;
        unseen)
            # The arm without made rows is the same in every variant: trained once, under the first one's name.
            first=${VARIANTS%% *}
            { echo "unseen-$first $first --unseen 0.6 --only-arm real"
              for v in $VARIANTS; do echo "unseen-$v $v --unseen 0.6 --only-arm procedural"; done; } | pool
            for v in $VARIANTS; do
                [ "$v" = "$first" ] || { mkdir -p "$RESULTS/unseen-$v/unseen-0.6"; cp -rn "$RESULTS/unseen-$first/unseen-0.6/real" "$RESULTS/unseen-$v/unseen-0.6/"; }
                echo "unseen-$v $v --unseen 0.6"
            done | pool ;;
        folds)
            v=$FOLDS_VARIANT
            for k in 0 1 2 3 4; do for arm in real procedural; do echo "folds-$v $v --folds 5 --only-fold $k --only-arm $arm"; done; done | pool
            ablate 0 "folds-$v" "$v" --folds 5 ;;
    esac
done
for log in "$RESULTS"/*.log; do grep -HE "^  (all|seen|unseen)|^stage 1|^trained retriever|^Stopped|Error|^Entries" "$log"; done | sed "s|$RESULTS/||" | cut -c1-190
