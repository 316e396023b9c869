#!/bin/bash
# A sweep on this machine: as many runs at a time as there are GPUs, or cores where there is no GPU.
#
#     bash examples/local_queue.sh pilot --seeds 0,1,2 --vary training.learning_rate=1e-3,3e-3
#     DATA=musdb18 JOBS=2 bash examples/local_queue.sh NAME configs/musdb18-unet.toml configs/musdb18-vit.toml
#
# The arguments are those of `demix sweep`, NAME first. DATA is the data set or folder of songs, JOBS the number of runs
# at a time. A run that fails does not stop the others; the same command goes on with what is not done.

set -euo pipefail
PATH="$PWD/.venv/bin:$PATH" # where demix is installed
name=${1:?name the sweep, as in: bash examples/local_queue.sh pilot --seeds 0,1,2}
data=${DATA:-free}

find_gpus() { nvidia-smi --query-gpu=index --format=csv,noheader 2> /dev/null | grep -E '^[0-9]+$' | paste -s -d ,; }
export GPUS="${CUDA_VISIBLE_DEVICES-$(find_gpus || true)}"
IFS=, read -r -a gpus <<< "$GPUS"
if ((${#gpus[@]} > 0)); then
    places=${#gpus[@]}
else
    places=$(nproc)
    export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" # one core for each run
fi

start() { # a line of `demix sweep --list`, on the GPU of its place in the queue
    IFS=, read -r -a gpus <<< "$GPUS"
    if ((${#gpus[@]} > 0)); then export CUDA_VISIBLE_DEVICES="${gpus[SLOT % ${#gpus[@]}]}"; fi
    eval "$1"
}
export -f start

demix data prepare "$data" # once, or all runs would decode at once
# shellcheck disable=SC2016  # $1 is what xargs hands over
demix sweep "$@" --data "$data" --list |
    xargs -r -d '\n' -n 1 -P "${JOBS:-$places}" --process-slot-var=SLOT bash -c 'start "$1"' bash
echo "next: demix evaluate checkpoints/$name-*-seed* --name $name"
