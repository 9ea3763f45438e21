"""Chromium's WebGPU: its compiler Tint and its validation Dawn, headless, on its own software adapter."""

import json
import os
import shutil

from common import HERE, ROOT, TARGET, Failed, NotRun, debian, run, texts


def check(folder):
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        raise NotRun("Node.js with npm is missing: https://nodejs.org")
    named = os.environ.get("CHROMIUM", "chromium")
    browser = next(filter(None, map(shutil.which, (named, "chromium-browser", "google-chrome"))), None)
    browser = browser or debian("chromium", "chromium")
    # The driver of the page's tests, in the folder that they use.
    modules = TARGET / "web-tests"
    modules.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(ROOT / "crates/web/tests" / name, modules)
    shutil.copy(HERE / "tint.mjs", modules)
    run([npm, "ci", "--silent", "--no-audit", "--no-fund"], cwd=modules)
    kernels = len(texts(folder, "wgsl"))
    out = run([node, "tint.mjs", folder], {"CHROMIUM": browser}, cwd=modules)
    found = json.loads(out.splitlines()[-1])
    if found["failures"]:
        raise Failed(f"{len(found['failures'])} of {kernels} kernels\n" + "\n".join(found["failures"][:5]))
    if found["pipelines"] + len(found["tooLarge"]) != kernels or not found["pipelines"]:
        raise Failed(f"{found['pipelines']} pipelines of {kernels} kernels")
    return (
        f"{kernels} modules without an error or a warning, {found['pipelines']} pipelines; {len(found['tooLarge'])} have "
        f"larger workgroups than the adapter's {found['invocations']} (Chromium {found['version']})"
    )
