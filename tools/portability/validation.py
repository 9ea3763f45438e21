"""Vulkan's validation layer while kernels run: what the API forbids, missing barriers between dispatches, and races in
workgroup memory. Accesses beyond a buffer it did not report when tried, probably because wgpu asks for robust access."""

import json
import os
import re
import subprocess

from common import ROOT, WORK, Failed, debian, say

# What walks are tested with, in few kernels; the layer makes each of them slow to compile.
TESTS = ["a_row_without_timesteps_passes_its_state_and_gradient_on", "what_stands_in_the_padding_is_not_read"]
# naga decorates arrays in workgroup memory and in functions, which SPIR-V came to forbid; wgpu too leaves it out.
IGNORED = "VUID-StandaloneSpirv-None-10684"
# As the layer names what it was switched on for.
CHECKS = ["- Synchronization", "- GPU-AV"]
CELLS = ["lstm", "gru", "rnn", "mingru"]
LAYER = "VK_LAYER_KHRONOS_validation"


def layer():
    """The settings that switch Chromium's copy of the layer on. Debian's own is older and knows nothing of races."""
    library = debian("chromium", "/usr/lib/chromium*/libVkLayer_khronos_validation.so")
    folder = WORK / "validation"
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {
        "name": LAYER,
        "type": "GLOBAL",
        "library_path": library,
        "api_version": "1.4.0",
        "implementation_version": "1",
        "description": "Khronos Validation Layer",
    }
    (folder / "layer.json").write_text(json.dumps({"file_format_version": "1.2.0", "layer": manifest}))
    driver = debian("mesa-vulkan-drivers", "/usr/share/vulkan/icd.d/lvp_icd*.json")
    return {
        "VK_DRIVER_FILES": driver,
        "VK_ICD_FILENAMES": driver,
        "VK_LAYER_PATH": str(folder),
        "VK_INSTANCE_LAYERS": LAYER,
        "VK_LAYER_VALIDATE_SYNC": "1",
        "VK_LAYER_GPUAV_ENABLE": "1",
        "VK_LAYER_REPORT_FLAGS": "error,warn,info",
        "VK_LAYER_DEBUG_ACTION": "VK_DBG_LAYER_ACTION_LOG_MSG",
        "VK_LAYER_LOG_FILENAME": "stdout",
        "VK_LAYER_MESSAGE_ID_FILTER": IGNORED,
    }


def validated(command, settings, wanted):
    """Runs a command; raises Failed if the layer finds an error in it, or if what it says does not match `wanted`."""
    say(" ".join(command))
    # Not its status: the layer aborts the process at its very end.
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False
    )
    log = WORK / "validation" / "log"
    log.write_text(done.stdout)
    if errors := re.findall(r"Validation Error: \[ (.*?) \].*?\n(.*)", done.stdout):
        raise Failed(f"{len(errors)} errors, all of them in {log}: {', '.join(sorted({name for name, _ in errors}))}\n{errors[0][1]}")
    if missing := [check for check in CHECKS if check not in done.stdout]:
        raise Failed(f"the layer did not check {', '.join(missing)}")
    if not re.search(wanted, done.stdout, re.DOTALL):
        raise Failed(f"it did not come to its end: {log}")


def check(_):
    settings = layer()
    tests = ["cargo", "test", "--release", "--workspace", "--test", "kernels", "--", "--nocapture"]
    # Burn's own kernels would take minutes more with it: the tests of the walks alone.
    races = "VK_LAYER_GPUAV_SHARED_MEMORY_DATA_RACE"
    validated([*tests, *(f"on_gpu::{test}" for test in TESTS)], settings | {races: "1"}, rf"test result: ok\. {len(TESTS)} passed")
    step = "--device software --batches 6 --times 5 --hiddens 64 --steps 1 --implementations gatefold --cells".split()
    bench = ["cargo", "run", "--release", "--package", "gatefold", "--", "bench", *step, ",".join(CELLS)]
    validated(bench, settings | {races: "0"}, ".*".join(f"{cell} .*? train " for cell in CELLS))
    return (
        f"no error in {len(TESTS)} tests of the walks, with races in workgroup memory, and in training steps of "
        f"{len(CELLS)} cells, without"
    )
