#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The diagrams and rules in docs/design/states.md, from engine/state_rules.c, engine/state_rules.def and engine/words.c.

Without arguments the parts of the page between markers are written; with --check they are compared, and every state
word of the engine must be explained on the page.
"""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = "docs/design/states.md"
BEGIN, END = "<!-- made by scripts/make_states.py: {} -->", "<!-- end -->"


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as text:
        return text.read()


def words(function):
    """The words of one function of words.c, in order."""
    body = re.search(rf"{function}\(.*?\{{(.*?)\n\}}", read("engine/words.c"), re.S)
    if not body:
        sys.exit(f"make_states.py: words.c has no {function} any more")
    return re.findall(r'"(\w[\w-]*)"', body.group(1))


def enumerators(name):
    """Enumerators of types.h, in order."""
    body = re.search(rf"enum {name} \{{(.*?)\}};", read("engine/include/bsr/types.h"), re.S).group(1)
    return re.findall(r"^\s+(BSR_[A-Z_]+)(?: = \d+)?,", body, re.M)


def moves(table, enum, function):
    """state -> states it may become, as words, and the named groups; from one table of arrows."""
    code = read("engine/state_rules.c")
    names = enumerators(enum)
    word = dict(zip(names, words(function)))
    if len(word) != len(words(function)):
        sys.exit(f"make_states.py: types.h and words.c have different values of {enum}")
    groups = {name: re.findall(r"M\((\w+)\)", body)
              for name, body in re.findall(r"^#define (\w+)\s+\\?\s*(\(M\(.*?\)\))$", code, re.S | re.M)}
    body = re.search(rf"{table}\[[^\]]+\] = \{{(.*?)\n\}};", code, re.S).group(1)
    result = {}
    for state, to in re.findall(r"\[(BSR_\w+)\] = ([^,]+),", body):
        arrows = set(re.findall(r"M\((BSR_\w+)\)", to))
        arrows.update(name for group in re.findall(r"\b[A-Z]+\b", to) if group in groups for name in groups[group])
        result[word[state]] = [word[name] for name in names if name in arrows and name != state]
    return result, {group: [word[n] for n in members if n in word] for group, members in groups.items()}


def arrows(table):
    """The same as rows of a page."""
    return ["| from | to |", "| --- | --- |"] + [f"| {state} | {', '.join(to)} |" for state, to in table.items()]


def connection():
    table, groups = moves("conn_arrows", "bsr_conn_state", "bsr_conn_state_word")
    reasons = groups["REASONS"]
    lines = ["```mermaid", "stateDiagram-v2", "    [*] --> StandAlone"]
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
    return lines + ["```", ""] + arrows(table)


def disk():
    return arrows(moves("disk_arrows", "bsr_disk_state", "bsr_disk_state_word")[0])


def replication():
    return arrows(moves("repl_arrows", "bsr_repl_state", "bsr_repl_state_word")[0])


def rows(macro, columns):
    """Arguments of the macro's uses in state_rules.def; literals that follow each other are one."""
    text = read("engine/state_rules.def").split("#endif")[-1]
    for use in re.findall(rf"^{macro}\((.*?)\)$", text, re.S | re.M):
        head, _, literals = use.partition('"')
        fields = [field.strip() for field in head.split(",") if field.strip()]
        if len(fields) != columns:
            sys.exit(f"make_states.py: state_rules.def: cannot read {use!r}")
        yield fields, "".join(re.findall(r'"([^"]*)"', '"' + literals))


def rules():
    texts = {name: text for _, name, text in re.findall(r'^BSR_ERR\((\d+), (\w+),\s+"(.*)"\)$',
                                                        read("engine/include/bsr/errors.def"), re.M)}
    lines = ["What a proposed state implies, in this order:", ""]
    lines += [f"{fields[0]}. {text}" for fields, text in rows("BSR_STATE_IMPLIES", 3)]
    lines += ["", "What is legal:", "", "| rule | who | | refusal |", "| --- | --- | --- | --- |"]
    for (number, _, _, who, error), text in rows("BSR_STATE_RULE", 5):
        if error not in texts:
            sys.exit(f"make_states.py: errors.def has no {error}")
        lines.append(f"| {number} | {who.lower()} | {text} | {texts[error]} |")
    return lines


PARTS = {"connection": connection, "disk": disk, "replication": replication, "rules": rules}


def make(text):
    """The page with its generated parts as they should be."""
    for name, part in PARTS.items():
        begin = BEGIN.format(name)
        if begin not in text:
            sys.exit(f"make_states.py: {PAGE} has no place for '{name}'")
        before, rest = text.split(begin)
        text = "\n".join([before + begin, "", *part(), "", END]) + rest.split(END, 1)[1]
    return text


def main():
    text = read(PAGE)
    made = make(text)
    wrong = []
    for function in ("bsr_role_word", "bsr_conn_state_word", "bsr_repl_state_word", "bsr_disk_state_word",
                     "bsr_conn_error_word"):
        wrong += [f"{PAGE} does not explain '{word}'" for word in words(function) if f"`{word}`" not in text]
    if "--check" not in sys.argv[1:]:
        with open(os.path.join(ROOT, PAGE), "w", encoding="utf-8") as out:
            out.write(made)
    elif made != text:
        wrong.append(f"{PAGE} is not up to date: run scripts/make_states.py")
    print("\n".join(wrong) or f"{PAGE} says what engine/state_rules.c does")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
