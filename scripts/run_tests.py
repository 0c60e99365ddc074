#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Run every test and end with one line: N passed, N failed.

Order: the plain build's suites (unit, fuzz, style, sim); units, fuzzers and clusters of hosts under AddressSanitizer
and UndefinedBehaviorSanitizer; then the end-to-end tests of tests/e2e with pytest. A test that was skipped is listed with
its reason and counted as neither.
"""
import argparse
import json
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Hosts with real daemons under the sanitizers: every protocol, and each way to lose a part of a cluster.
SANITIZED_CLUSTERS = "each_protocol or killed_under_verifying or power_cut or link_cut or garbage"
LEAK_CLUSTERS = "down_and_up or detach_and_attach or disconnect_connect"


def run(command, **kwargs):
    print("+ " + " ".join(command), flush=True)
    return subprocess.run(command, cwd=ROOT, check=False, **kwargs).returncode


def meson_results(build):
    """(passed, failed, skipped names) of the last `meson test` in @build."""
    passed, failed, skipped = 0, 0, []
    with open(os.path.join(ROOT, build, "meson-logs", "testlog.json"), encoding="utf-8") as log:
        for line in log:
            result = json.loads(line)
            if result["result"] in ("OK", "EXPECTEDFAIL"):
                passed += 1
            elif result["result"] == "SKIP":
                skipped.append(result["name"])
            else:
                failed += 1
    return passed, failed, skipped


def meson_suite(build, suites):
    command = ["meson", "test", "-C", build, "--print-errorlogs", "--no-rebuild"]
    for suite in suites:
        command += ["--suite", suite]
    status = run(command)
    passed, failed, skipped = meson_results(build)
    if status != 0 and failed == 0:
        failed = 1
    return passed, failed, skipped


def sanitized(build):
    if not os.path.exists(os.path.join(ROOT, build, "build.ninja")):
        # instrumented code is no good judge of warnings: the compiler sees null pointers that only the checks make
        if run(["meson", "setup", build, "-Db_sanitize=address,undefined", "-Dslow_asserts=true", "-Db_lundef=false",
                "-Dwerror_dev=false"]):
            print(f"{build}: the sanitized build cannot be set up")
            return 0, 1, []
    if run(["ninja", "-C", build]):
        print(f"{build}: the sanitized build failed")
        return 0, 1, []
    os.environ["ASAN_OPTIONS"] = "abort_on_error=1:detect_leaks=1"
    os.environ["UBSAN_OPTIONS"] = "halt_on_error=1:print_stacktrace=1"
    units = meson_suite(build, ["unit", "fuzz"])
    # The engine process is not allowed to start the thread that looks for leaks.
    os.environ["ASAN_OPTIONS"] = "abort_on_error=1:detect_leaks=0"
    clusters = end_to_end(build, "tests/e2e/test_cluster.py", "-k", SANITIZED_CLUSTERS)
    # So a few run without the filter, and every process is looked at when it ends.
    os.environ["ASAN_OPTIONS"] = "abort_on_error=1:detect_leaks=1"
    os.environ["BSR_LEAK_CHECK"] = "1"
    leaks = end_to_end(build, "tests/e2e/test_cluster.py", "-k", LEAK_CLUSTERS)
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "BSR_LEAK_CHECK"):
        del os.environ[name]
    return tuple(a + b + c for a, b, c in zip(units, clusters, leaks))


def end_to_end(build, *which):
    report = os.path.join(ROOT, build, "e2e.xml")
    if os.path.exists(report):
        os.unlink(report)
    env = dict(os.environ, BSR_BUILD=os.path.join(ROOT, build))
    status = run(["/usr/bin/python3", "-m", "pytest", "-q", "-rs", "-n", "2", "--durations=5", f"--junitxml={report}",
                  *which], env=env)
    if not os.path.exists(report):
        return 0, 1, []
    passed, failed, skipped = 0, 0, []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped.append(f"{name}: {case.find('skipped').get('message')}")
        else:
            passed += 1
    if status != 0 and failed == 0:
        failed = 1
    return passed, failed, skipped


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--only", choices=("plain", "sanitized", "e2e"), help="one part instead of all")
    options = parser.parse_args()
    parts = {"plain": lambda: meson_suite(options.build, ["unit", "fuzz", "style", "sim"]),
             "sanitized": lambda: sanitized("build-asan"),
             "e2e": lambda: end_to_end(options.build, "tests/e2e")}
    total = [0, 0]
    for name, part in parts.items():
        if options.only not in (None, name):
            continue
        began = time.monotonic()
        passed, failed, skipped = part()
        total[0] += passed
        total[1] += failed
        for what in skipped:
            print(f"skipped: {what}")
        print(f"{name}: {passed} passed, {failed} failed, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{total[0]} passed, {total[1]} failed")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
