# What the shell scripts beside it share; sourced by each, run by none. LIMIT and RESULTS are the script's own.
# DATA: folder of the Eedi files. PYTHON: the interpreter. EXTRA: further options. MODEL, LM, TOKENIZER: bundled ones.
DATA=${DATA:-../shared/data/eedi} PYTHON=${PYTHON:-python3} EXTRA=${EXTRA:-}
MODEL=${MODEL:-bundled:all-MiniLM-L6-v2} LM=${LM:-bundled:SmolLM2-135M-Instruct} TOKENIZER=${TOKENIZER:-qwen2.5}
BANK=${BANK:-$DATA/misconception_mapping.csv} GPUS=${GPUS:-1} FIRST_GPU=${FIRST_GPU:-0}
export TOKENIZERS_PARALLELISM=false PYTHONUNBUFFERED=1 PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"

no_multicast() { # NVLink multicast stays off: on a shared host it can put the GPUs out of service
    export NCCL_NVLS_ENABLE=0 TORCH_SYMM_MEM_DISABLE_MULTICAST=1 NVSHMEM_DISABLE_NVLS=1
    export VLLM_ALLREDUCE_USE_SYMM_MEM=0 VLLM_USE_NCCL_SYMM_MEM=0
}

offline() { # nothing is looked up, nothing told
    export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
}

limited() { # NAME LINES COMMAND… ; into RESULTS/NAME.log, LIMIT seconds; tells how it ended, and its last LINES where it failed
    local name=$1 lines=$2 began=$SECONDS status
    shift 2
    timeout -k 10 "$LIMIT" "$@" > "$RESULTS/$name.log" 2>&1
    status=$?
    echo "$name: exit status $status after $((SECONDS - began)) s"
    [ $status = 0 ] || tail -n "$lines" "$RESULTS/$name.log"
}

on_gpu() { # SLOT LOG COMMAND… ; on the slot's GPU, LIMIT seconds; tried twice: a training goes on from its last epoch
    local slot=$1 log=$2
    shift 2
    for _ in 1 2; do
        CUDA_VISIBLE_DEVICES=$((FIRST_GPU + slot % GPUS)) timeout "$LIMIT" "$@" > "$log" 2>&1 && return
    done
    return 1
}

at_a_time() { # NUMBER FUNCTION ; each line of the input is the arguments of one call, behind the slot it runs in
    export DATA PYTHON EXTRA MODEL LM BANK GPUS FIRST_GPU RESULTS LIMIT
    export -f on_gpu
    export -f "${2?}"
    xargs -P "$1" -L 1 --process-slot-var=SLOT bash -c "$2"' "$SLOT" "$@"' _
}
