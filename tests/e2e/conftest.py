# SPDX-License-Identifier: GPL-2.0-or-later
"""What all end-to-end tests share: where the built programs are, running them, loop devices that go away again."""

import os
import pathlib
import subprocess

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BSR_BUILD", SOURCE / "build"))
TOOL_DIRS = ("tools/bsrmeta", "tools/bsrsetup", "tools/bsradm", "tools/bsrmon", "tools/bsrcon", "daemon")


def program(name):
    """Path of a built program."""
    for directory in TOOL_DIRS:
        path = BUILD / directory / name
        if path.is_file():
            return str(path)
    raise FileNotFoundError(f"{name} is not built below {BUILD} (set BSR_BUILD)")


def run(*words, answer="", env=None, timeout=120):
    """Run a program to its end; the result has returncode, stdout and stderr (text)."""
    full = dict(os.environ, LC_ALL="C", **(env or {}))
    return subprocess.run([str(w) for w in words], input=answer, env=full, timeout=timeout,
                          capture_output=True, text=True, errors="replace")


def check(*words, **kwargs):
    """Run, and fail with both streams unless it returns 0."""
    result = run(*words, **kwargs)
    assert result.returncode == 0, f"{words}: {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result


@pytest.fixture
def loop(tmp_path):
    """loop(file) makes a loop device of a file; all are detached at the end."""
    if os.geteuid() != 0:
        pytest.skip("loop devices need root")
    devices = []

    def make(path):
        device = check("losetup", "--find", "--show", path).stdout.strip()
        devices.append(device)
        return device

    yield make
    for device in devices:
        run("umount", device)
        run("losetup", "--detach", device)


@pytest.fixture
def adm(tmp_path):
    """bsradm with fake back ends."""
    from bsradm_support import Admin  # which needs program() and run() of this file
    return Admin(tmp_path)
