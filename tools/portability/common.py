"""What the checks share: getting tools, and running them."""

import glob
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()
WORK = TARGET / "portability"


class Failed(Exception):
    """What was checked is wrong."""


class NotRun(Exception):
    """The check lacks something; the message says how to get it."""


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def debian(package, path):
    """The first file that `path` (a name of a command, or a pattern) stands for; installs Debian's package if need be."""

    def find():
        found = sorted(glob.glob(path)) if "/" in path else [shutil.which(path)]
        return found[0] if found and found[0] else None

    if not find() and shutil.which("apt-get"):
        root = [] if os.getuid() == 0 else ["sudo", "-n"]
        say(f"installing {package}")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-q"], ["install", "-q", "-y", package]):
            subprocess.run([*root, "apt-get", *command], stdout=sys.stderr, env=environment, check=False)
    if not find():
        raise NotRun(f"{path} is missing; on Debian: sudo apt-get install {package}")
    return find()


def run(command, environment=None, **options):
    """Runs a command; gives its standard output and error, together.

    Raises Failed, with the end of it, if the command fails."""
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, **(environment or {})},
        check=False,
        **options,
    )
    if done.returncode:
        raise Failed(f"{' '.join(map(str, command[:4]))} …: status {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def on_all(check, texts):
    """Runs `check` on each text, some at a time, and gives the results. Raises Failed with the messages of those that fail."""
    failures = []

    def one(text):
        try:
            return check(text)
        except Failed as failure:
            failures.append(f"{text.name}: {failure}")

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(one, texts))
    if failures:
        raise Failed(f"{len(failures)} of {len(texts)} texts\n" + "\n".join(failures[:5]))
    return results


def texts(folder, ending):
    found = sorted(Path(folder).glob(f"*.{ending}"))
    if not found:
        raise Failed(f"no text *.{ending} in {folder}")
    return found


def parts(text):
    """What a text's name says: `Walk.cell=Lstm.hidden=64.spv` is {"": "Walk", "cell": "Lstm", "hidden": "64"}."""
    kernel, *rest = text.name.rsplit(".", 1)[0].split(".")
    return {"": kernel} | dict(part.split("=", 1) if "=" in part else (part, "") for part in rest)
