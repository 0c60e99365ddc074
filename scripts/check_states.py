#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""No field of a state is set but in state.c and state_derived.c: every other file of the engine is compiled with those
fields as const (BSR_STATE_FIELD in core.h)."""
import glob
import os
import re
import shlex
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OWNERS = {"state.c", "state_derived.c"}
FIELDS = 18  # in core.h; so that a field that loses its mark is noticed


def compile_all(paths):
    """What the compiler says with the fields const; empty when every file is fine."""
    command = [*shlex.split(os.environ.get("CC", "cc")), "-std=c11", "-fsyntax-only", "-ffreestanding", "-w",
               "-DBSR_STATE_FIELD=const", f"-I{ROOT}/engine/include", f"-I{ROOT}/engine", *paths]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


def self_test():
    """A file that sets such a field is found."""
    with tempfile.NamedTemporaryFile("w", suffix=".c") as bad:
        bad.write('#include "core.h"\nvoid f(struct bsr_volume *v);\n'
                  "void f(struct bsr_volume *v)\n{\n\tv->disk = BSR_DISK_UP_TO_DATE;\n}\n")
        bad.flush()
        assert "read-only" in compile_all([bad.name]), "the check does not find what it is for"


def main():
    self_test()
    with open(os.path.join(ROOT, "engine", "core.h"), encoding="utf-8") as core:
        marked = len(re.findall(r"^\tBSR_STATE_FIELD ", core.read(), re.M))
    paths = sorted(p for p in glob.glob(f"{ROOT}/engine/*.c")
                   if os.path.basename(p) not in OWNERS and not re.search(r"(_test|/fuzz_\w+|_model)\.c$", p))
    said = compile_all(paths)
    sys.stdout.write(said)
    if marked != FIELDS:
        print(f"engine/core.h marks {marked} fields as states, {FIELDS} are expected: a new one is added here, too")
    if said or marked != FIELDS:
        return 1
    print(f"{len(paths)} files set none of {marked} state fields")
    return 0


if __name__ == "__main__":
    sys.exit(main())
