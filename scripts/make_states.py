#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The table and the diagram of connection states in docs/design/states.md, from engine/state.c and engine/words.c.

Without arguments the part of the page between the two markers is written; with --check it is compared, and every state
word of the engine must be explained on the page.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = "docs/design/states.md"
BEGIN, END = "<!-- made by scripts/make_states.py: begin -->", "<!-- end -->"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as text:
        return text.read()


def words(function):
    """The words of one function of words.c, in order."""
    body = re.search(rf"{function}\(.*?\{{(.*?)\n\}}", read("engine/words.c"), re.S)
    if not body:
        sys.exit(f"make_states.py: words.c has no {function} any more")
    return re.findall(r'"(\w[\w-]*)"', body.group(1))


def moves():
    """state -> states it may become, as words."""
    code = read("engine/state.c")
    enums = re.findall(r"^\s+(BSR_CONN_[A-Z_]+)(?: = \d+)?,", re.search(r"enum bsr_conn_state \{(.*?)\};", read(
        "engine/include/bsr/types.h"), re.S).group(1), re.M)
    enums = [name for name in enums if name != "BSR_CONN_STATE_COUNT"]
    word = dict(zip(enums, words("bsr_conn_state_word")))
    if len(word) != len(words("bsr_conn_state_word")):
        sys.exit("make_states.py: types.h and words.c have different connection states")
    reasons = re.findall(r"M\((BSR_CONN_\w+)\)", re.search(r"#define REASONS(.*?)\nstatic", code, re.S).group(1))
    table = re.search(r"conn_moves\[BSR_CONN_STATE_COUNT\] = \{(.*?)\n\};", code, re.S).group(1)
    result = {}
    for state, to in re.findall(r"\[(BSR_CONN_\w+)\] = ([^,]+),", table):
        names = re.findall(r"M\((BSR_CONN_\w+)\)", to) + (reasons if "REASONS" in to else [])
        result[word[state]] = [word[name] for name in enums if name in names]
    return result, [word[name] for name in reasons]


def part():
    """The generated lines."""
    table, reasons = moves()
    lines = [BEGIN, "", "```mermaid", "stateDiagram-v2", "    [*] --> StandAlone"]
    group = "Ended"
    for state, to in table.items():
        if state in reasons:
            continue
        lines += [f"    {state} --> {name}" for name in to if name not in reasons]
        if set(reasons) <= set(to):
            lines.append(f"    {state} --> {group}: {', '.join(reasons)}")
    after = {name for state in reasons for name in table[state]}
    if any(set(table[state]) != after for state in reasons):
        sys.exit("make_states.py: the reasons for an end lead to different states; draw them one by one")
    lines += [f"    {group} --> {name}" for name in sorted(after, reverse=True)]
    lines += ["```", "", "| from | to |", "| --- | --- |"]
    lines += [f"| {state} | {', '.join(to)} |" for state, to in table.items()]
    return "\n".join(lines + ["", END])


def main():
    text = read(PAGE)
    before, rest = text.split(BEGIN)
    made = before + part() + rest.split(END, 1)[1]
    wrong = []
    for function in ("bsr_role_word", "bsr_conn_state_word", "bsr_repl_state_word", "bsr_disk_state_word",
                     "bsr_conn_error_word"):
        wrong += [f"{PAGE} does not explain '{word}'" for word in words(function) if f"`{word}`" not in text]
    if "--check" not in sys.argv[1:]:
        with open(os.path.join(ROOT, PAGE), "w", encoding="utf-8") as out:
            out.write(made)
    elif made != text:
        wrong.append(f"{PAGE} is not up to date: run scripts/make_states.py")
    print("\n".join(wrong) or f"{PAGE} says what engine/state.c does")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
