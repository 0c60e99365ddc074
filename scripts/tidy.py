#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""clang-tidy over every C file of the build, once each; 1 when it has found something.

tidy.py BUILD [FOLDER...]: only files below these folders. The checks are in .clang-tidy.
"""
import concurrent.futures
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def look(build, path):
    done = subprocess.run(["clang-tidy", "--quiet", "-p", build, path], capture_output=True, text=True, check=False)
    return re.sub(re.escape(ROOT) + r"/(?:[\w-]+/\.\./)?", "", done.stdout)


def main():
    build = os.path.abspath(sys.argv[1])
    folders = [f.rstrip("/") + "/" for f in sys.argv[2:]]
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as database:
        entries = json.load(database)
    files = sorted({os.path.normpath(os.path.join(e["directory"], e["file"])) for e in entries})
    wanted = [f for f in files if f.endswith(".c") and f.startswith(ROOT + "/") and
              (not folders or any(os.path.relpath(f, ROOT).startswith(d) for d in folders))]
    found = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for text in pool.map(lambda f: look(build, f), wanted):
            # one finding is lines up to the next one; a header's comes with each file that includes it
            for finding in re.split(r"\n(?=\S+:\d+:\d+: (?:warning|error): )", "\n" + text):
                if re.match(r"\s*\S+:\d+:\d+: (warning|error): ", finding) and finding.strip() not in found:
                    found.add(finding.strip())
                    print(finding.strip(), flush=True)
    print(f"{len(wanted)} files, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
