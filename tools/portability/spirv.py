"""Vulkan's own validator of SPIR-V, as wgpu writes it for a driver of Vulkan 1.3."""

from common import debian, on_all, run, texts


def check(folder):
    validator = debian("spirv-tools", "spirv-val")
    modules = texts(folder, "spv")
    on_all(lambda module: run([validator, "--target-env", "vulkan1.3", module]), modules)
    version = run([validator, "--version"]).splitlines()[0].removeprefix("SPIRV-Tools ").split()[0]
    return f"{len(modules)} modules are valid (spirv-val {version})"
