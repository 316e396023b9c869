#!/usr/bin/env bash
# Everything that is to be measured on a GPU, within ten minutes:
#
#     bash benchmarks/gpu.sh [OUT]        # OUT: where the figures go, results/gpu by default
#
# 1. parity: training steps against the CPU's in float32 (train_parity.py; it fails where they differ)
# 2. `demix bench train`: both nets at small and base in bfloat16, beside the plain float32 step and Open-Unmix's
# 3. the 4 GB configs as they ship: peak memory of their float16 steps
# 4. where the time goes (train_profile.py), and what each switch does (train_switches.py)
#
# It needs numpy, torch >= 2.11, safetensors and pure-Python packages: jaxtyping, typer, rich (and openunmix to time it).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-results/gpu}
python=${PYTHON:-python3}
device=${DEVICE:-cuda}            # DEVICE=cpu PRESETS=tiny tries the script itself where there is no GPU
presets=${PRESETS:-small base}
mkdir -p "$out"
export PYTHONPATH="$PWD/src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
deadline=$((SECONDS + ${SECONDS_IN_ALL:-570}))

step() { # step NAME LIMIT COMMAND...: run within a limit and what is left of the whole; a failure does not stop the rest
  local name=$1 limit=$2 left=$((deadline - SECONDS))
  shift 2
  if ((left < 10)); then
    echo "== $name: not measured, no time left" | tee "$out/$name.txt"
    return
  fi
  echo "== $name"
  timeout "$((left < limit ? left : limit))" "$@" 2>"$out/$name.err" | tee "$out/$name.txt" ||
    { echo "== $name: ended with an error or at its limit, see $name.err"; tail -n 3 "$out/$name.err"; failed=1; }
}

failed=0
first=${presets%% *}
fast=(--set speed.precision=bfloat16 --set speed.channels_last=true --set "speed.compile=${COMPILE:-true}"
  --set "data.segment_seconds=${SEGMENT:-5.94}" --set "data.batch_size=${BATCH:-16}" --set "training.device=$device")

"$python" -c 'import torch; print(torch.__version__, torch.version.cuda, torch.cuda.is_available() and torch.cuda.get_device_name())' |
  tee "$out/machine.txt"
step parity 90 "$python" benchmarks/train_parity.py --device "$device" --preset "$first" --set "training.device=$device"
for preset in $presets; do # a step for each, so that a limit takes only what comes after it
  for net in unet vit; do
    step "bench-$preset-$net" 90 "$python" -m demix bench train --preset "$preset" --net "$net" "${fast[@]}" \
      --steps "${STEPS:-20}" --rounds "${ROUNDS:-1}"
  done
done
for net in unet vit; do
  step "card-4gb-$net" 40 "$python" -m demix bench train "configs/musdb18-$net.toml" --net "$net" --alone \
    --steps "${CARD_STEPS:-4}" --rounds 1 --set "training.device=$device"
done
for net in unet vit; do
  step "profile-$net" 60 "$python" benchmarks/train_profile.py --net "$net" --preset "${presets##* }" --device "$device" \
    "${fast[@]}"
done
for net in unet vit; do
  step "switches-$net" 120 "$python" benchmarks/train_switches.py --net "$net" --preset "${presets##* }" --rounds 1 \
    --steps "${STEPS:-20}" --set "data.batch_size=${BATCH:-16}" --set "data.segment_seconds=${SEGMENT:-5.94}" \
    --set "training.device=$device"
done
exit "$failed"
