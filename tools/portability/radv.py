"""The code that Mesa's RADV makes for AMD's GPUs, without one: its null device compiles for any of them.

RADV says itself how many registers, how much memory and how many instructions a kernel takes. Its estimates of latency and
inverse throughput count every loop as a few passes: they compare kernels only whose loops are alike."""

import csv
import os
import re
import shutil
import subprocess
from collections import defaultdict

from common import HERE, WORK, Failed, NotRun, debian, parts, texts

# An integrated RDNA3 (Radeon 780M) and an integrated Vega.
FAMILIES = {"GFX1103_R1": "780M", "RAVEN": "Vega"}
# In the table; the CSV has all.
HIDDEN = ("64", "128", "256")
SPILLS = ("Spilled VGPRs", "Spilled SGPRs", "Scratch size")
STATISTICS = ("VGPRs", "SGPRs", "Spilled VGPRs", "LDS size", "Subgroups per SIMD", "Instructions", "Latency", "Inverse Throughput")
IN_LOOP = ("multiply-adds", "instructions", "memory loads", "LDS reads")


def product_loop(assembly):
    """What stands in the innermost loop with multiply-adds, the one with most of them. What stands in a loop inside it does
    not count.

    If the compiler unrolls a product's loop entirely, this is the loop around it, a timestep."""
    blocks = []
    for line in assembly.splitlines():
        if label := re.match(r"(BB\d+):", line):
            blocks.append((label[1], []))
        elif blocks and (instruction := line.partition(";")[0].split()):
            blocks[-1][1].append(instruction)
    number = {name: at for at, (name, _) in enumerate(blocks)}
    loops = {}
    for at, (_, instructions) in enumerate(blocks):
        for operation, *operands in instructions:
            if "branch" in operation and number.get(operands[-1], at + 1) <= at:
                loops[number[operands[-1]]] = at
    best = (0, 0), dict.fromkeys(IN_LOOP, 0)
    for start, end in loops.items():
        inner = {at for a, b in loops.items() if start < a <= b <= end for at in range(a, b + 1)}
        own = [word[0] for at in range(start, end + 1) if at not in inner for word in blocks[at][1]]

        def count(pattern):
            return sum(bool(re.match(pattern, operation)) for operation in own)

        fused = count(r"v_(dual_)?(fma|fmac|mac|mad)\w*_f32")
        loads = count(r"(buffer|global|s_buffer)_load"), count("ds_(read|load)")
        depth = sum(a <= start and end <= b for a, b in loops.items())
        if fused:
            best = max(best, ((depth, fused), dict(zip(IN_LOOP, (fused, len(own), *loads)))), key=lambda loop: loop[0])
    return best[1]


def compiled(program, driver, family, modules):
    """The statistics of each module's code, by the module's name."""
    folder = WORK / "radv" / family
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    environment = os.environ | {"VK_DRIVER_FILES": driver, "VK_ICD_FILENAMES": driver, "RADV_FORCE_FAMILY": family}
    names = "".join(f"{module}\n" for module in modules)
    done = subprocess.run([program, folder], input=names, capture_output=True, text=True, env=environment, check=False)
    if done.returncode or family not in done.stderr:
        raise Failed(f"{family}: {done.stderr.strip()[-2000:]}")
    statistics = defaultdict(dict)
    for line in done.stdout.splitlines():
        name, statistic, value = line.split("\t")
        statistics[name][statistic] = int(value)
    if len(statistics) != len(modules):
        raise Failed(f"{family}: {len(statistics)} of {len(modules)} modules compiled")
    for name, found in statistics.items():
        found |= product_loop((folder / f"{name}.asm").read_text())
    return statistics


def is_usual(module):
    """Whether a kernel is taken without having been measured beside others: of a walk with several layouts, the first."""
    named = parts(module)
    return named.get("product") != "Fused" or (named["groups"], named["blocks"]) == ("1", "1")


def table(modules, found):
    """The walks of some hidden sizes as Markdown; of a kernel's variants, the one with all that can be switched on."""
    rows = {}
    for module in sorted(modules, key=lambda module: module.name.count("=true")):
        named = parts(module)
        if named.get("hidden") in HIDDEN and "cell" in named and named.get("product") != "Step":
            kernel = " ".join(v for k, v in named.items() if k not in ("", "hidden") and v not in ("true", "false"))
            rows[int(named["hidden"]), kernel] = module.name
    columns = ("VGPRs", "SGPRs", "spilled VGPRs", "LDS, B", "subgroups a SIMD", "instructions", "latency", "inverse throughput")
    lines = [
        f"Each value: {' / '.join(FAMILIES.values())}. In the product's loop: {', '.join(IN_LOOP)}.",
        "",
        f"| H | walk | {' | '.join(columns)} | in the product's loop |",
        f"| --- | --- | {' | '.join('---' for _ in columns)} | --- |",
    ]
    for (hidden, kernel), name in sorted(rows.items()):
        cells = [" / ".join(str(found[family][name][statistic]) for family in FAMILIES) for statistic in STATISTICS]
        loop = " / ".join(" ".join(str(found[family][name][part]) for part in IN_LOOP) for family in FAMILIES)
        lines.append(f"| {hidden} | {kernel} | {' | '.join(cells)} | {loop} |")
    return "\n".join(lines) + "\n"


def check(folder):
    driver = debian("mesa-vulkan-drivers", "/usr/share/vulkan/icd.d/radeon_icd*.json")
    debian("libvulkan-dev", "/usr/include/vulkan/vulkan.h")
    if not (compiler := shutil.which("cc")):
        raise NotRun("a C compiler is missing; on Debian: sudo apt-get install gcc")
    WORK.mkdir(parents=True, exist_ok=True)
    program = WORK / "pipelines"
    subprocess.run([compiler, "-O1", "-Wall", "-o", program, HERE / "pipelines.c", "-lvulkan"], check=True)
    modules = texts(folder, "spv")
    found = {family: compiled(program, driver, family, modules) for family in FAMILIES}

    with (WORK / "radv.csv").open("w", newline="") as file:
        names = [name for name in next(iter(found["RAVEN"].values())) if "ash" not in name]
        writer = csv.writer(file)
        writer.writerow(["family", "kernel", *names])
        for family, statistics in found.items():
            for kernel, values in statistics.items():
                writer.writerow([family, kernel.removesuffix(".spv"), *(values[name] for name in names)])
    (WORK / "radv.md").write_text(table(modules, found))
    spilling = {name for statistics in found.values() for name in statistics if any(statistics[name][kind] for kind in SPILLS)}
    if usual := spilling & {module.name for module in modules if is_usual(module)}:
        raise Failed(f"{len(usual)} kernels spill registers, among them {min(usual)}")
    most = max(values["VGPRs"] for statistics in found.values() for values in statistics.values())
    return f"{len(modules)} kernels for {' and '.join(FAMILIES)}: no spills but in {len(spilling)} layouts that have to be measured to be taken, at most {most} VGPRs; tables: {WORK}/radv.md, radv.csv"
