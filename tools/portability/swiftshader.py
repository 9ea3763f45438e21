"""The kernels' tests on Chromium's SwiftShader: another Vulkan driver, with another compiler and subgroups of 4."""

import re

from common import ROOT, Failed, debian, run

# What takes minutes there, and what does not run there.
LEFT_OUT = ["random_cases_agree", "the_same_call_gives_the_same_bits", "on_cpu", "on_ndarray"]


def check(_):
    driver = debian("chromium", "/usr/lib/chromium*/vk_swiftshader_icd.json")
    environment = {"VK_DRIVER_FILES": driver, "VK_ICD_FILENAMES": driver}
    tests = ["cargo", "test", "--release", "--workspace", "--test", "kernels", "--test", "heartbeat", "--test", "layouts", "--", "--nocapture"]
    out = run([*tests, *(word for name in LEFT_OUT for word in ("--skip", name))], environment, cwd=ROOT)
    if "WGPU runs on SwiftShader" not in out:
        raise Failed("the tests ran on another adapter")
    passed = sum(map(int, re.findall(r"test result: ok\. (\d+) passed", out)))
    return f"{passed} tests pass; left out: {', '.join(LEFT_OUT)}"
