#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/status.md from the tables in the code: which commands, options and handlers exist, and which do nothing yet.

Where docs/configuration.md and bsr.conf(5) describe an option or handler without effect, they are told to say so.
Without arguments the pages are written; with --check they are compared, and an option that claims to have an effect although
nobody reads what it is turned into is an error.
"""
import glob
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PAGE = "docs/status.md"
OPTION = re.compile(r'^BSR_OPTION\((\w+), "([^"]+)",(.*?)\)\n', re.M | re.S)
SECTIONS = [("DISK", "disk, of a volume"), ("PEER_DEVICE", "disk, of a volume towards a peer"), ("NET", "net"),
            ("RESOURCE", "options, of a resource"), ("NODE", "options, of a node"), ("DEVICE", "new-minor")]


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as text:
        return text.read()


def one(pattern, text, what):
    found = re.search(pattern, text, re.S)
    if not found:
        sys.exit(f"make_status.py cannot find {what} any more: the code has moved")
    return found.group(1)


def c_string(text):
    """Adjacent C string literals as one text."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', text)).replace('\\"', '"')


def refused_commands():
    """name -> what helps, of bsrsetup's table and of the control socket."""
    table = one(r"refused\[\]\[2\] = \{(.*?)\{NULL", read("tools/bsrsetup/main.c"), "the refused commands of bsrsetup")
    refused = {name: c_string(text) for name, text in re.findall(r'\{"([^"]+)", ((?:"[^"]+"\s*)+)\}', table)}
    for text in re.findall(r'BSR_CTL_NOT_SUPPORTED,\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\)', read("daemon/control_commands.c")):
        name, sentence = re.match(r"(\S+(?: --\S+?)?(?: while the resource runs)?):? (.*)", c_string(text)).groups()
        refused[name] = sentence
    return refused


def commands():
    """(name, help, hidden) of bsradm."""
    table = one(r"commands\[\] = \{(.*?)\n\};", read("tools/bsradm/commands.c"), "the commands of bsradm")
    found = re.findall(r'\{"([^"]+)",\s*ADM_\w+,\s*\w+,\s*([^{}]*?)((?:"[^"]*"\s*)+)\}', table)
    return [(name, c_string(text), "ADM_HIDDEN" in rest) for name, rest, text in found]


def monitor_commands():
    """(name, arguments, help) of bsrmon."""
    table = one(r"commands\[\] = \{(.*?)\n\};", read("tools/bsrmon/arguments.c"), "the commands of bsrmon")
    return re.findall(r'\{"(\w+)", "([^"]*)", "[^"]*", \d+, \d+, \w+,\s*"([^"]*)",', table)


def console_commands():
    """(name, arguments, help, applies) of bsrcon."""
    table = one(r"commands\[\] = \{(.*?)\n\};", read("tools/bsrcon/commands.c"), "the commands of bsrcon")
    found = re.findall(r'\{"([^"]+)", "([^"]*)", \d+, \d+, \w+, (\w+),\s*((?:"[^"]*"\s*)+)\}', table)
    return [(name, arguments, c_string(text), not run.startswith("con_no_")) for name, arguments, run, text in found]


def options():
    """(section, name, flags) of the configuration language."""
    return [(section, name, rest.rsplit(",", 1)[1]) for section, name, rest in OPTION.findall(read("config/options.def"))]


def acted_on():
    return set(re.findall(r'"([^"]+)"', one(r"acted_on\[\] = \{(.*?)NULL\};", read("daemon/options.c"), "acted_on")))


def foreign_words():
    """A line for each option with words that act as another one."""
    table = one(r"foreign_words\[\] = \{(.*?)\n\t\};", read("config/option_table.c"), "foreign_words")
    found = re.findall(r'\{"([^"]+)", "([^"]+)", "([^"]+)"\}', table)
    for option, acts_as in sorted({(option, acts_as) for option, _, acts_as in found}):
        words = ", ".join(f"`{word}`" for name, word, same in found if (name, same) == (option, acts_as))
        yield f"Of `{option}`, {words} (DRBD) are kept, told, and act as `{acts_as}`."


def refused_values():
    """option -> sentence, for values that the daemon refuses."""
    rules = one(r"static int net_rules\((.*?)\n\}", read("daemon/options.c"), "net_rules")
    texts = re.findall(r'yes\(section, given, "([^"]+)"\)\) \{\s*snprintf\(why, room, "([^"]+)"', rules)
    refused = {name: text.split(": ", 1)[1] for name, text in texts}
    refused.update({name.split(" --")[1]: text for name, text in refused_commands().items() if " --" in name})
    return refused


def handlers_run():
    """Names of handlers that the engine or its host calls."""
    paths = sorted(glob.glob("engine/*.c", root_dir=ROOT)) + ["daemon/handler_calls.c", "daemon/flows_role.c"]
    text = "".join(read(path) for path in paths if "_test" not in path)
    return {name.lower().replace("_", "-") for name in re.findall(r"BSR_HANDLER_(\w+)", text)}


def unread_fields(effective):
    """Options that claim an effect while nobody reads their field."""
    code = "".join(read(path) for folder in ("engine", "host", "daemon")
                   for path in glob.glob(folder + "/*.c", root_dir=ROOT)
                   if not re.search(r"_test|fuzz_|/options\.c|/status\w*\.c|_fakes|_pretend", path))
    for left, name in re.findall(r'(\w+) = [^;]*?"([a-z_0-9-]+)"[^;]*;', read("daemon/options.c")):
        if name in effective and re.search(rf"\w+(->|\.){left} = ", read("daemon/options.c")):
            if not re.search(rf"(->|\.){left}\b", code):
                yield name, left


def option_rows(effective, refused):
    """Lines of the section about options."""
    for section, title in SECTIONS:
        mine = [(name, flags) for where, name, flags in options() if where == section and "INTERNAL" not in flags]
        yes = [f"`{name}`" for name, _ in mine if name in effective]
        no = [f"`{name}`" + (" (DRBD)" if "DRBD_ONLY" in flags else "") for name, flags in mine
              if name not in effective and name not in refused]
        bad = [f"`{name}`: {refused[name]}" for name, _ in mine if name in refused]
        yield f"| {title} | {', '.join(yes) or '-'} | {', '.join(no) or '-'} | {'; '.join(bad) or '-'} |"


def page():
    refused = refused_commands()
    effective = acted_on()
    run = handlers_run()
    every = [name for section, name, _ in options() if section == "HANDLERS"]
    unknown = sorted(effective - {name for _, name, _ in options()})
    if unknown:
        sys.exit(f"daemon/options.c acts on options that do not exist: {unknown}")
    lines = ["# What works, and what does not yet", "",
             "Made by `scripts/make_status.py` from the tables in the code; a test keeps it up to date. What works is described, by",
             "task, in the [user guide](user-guide.md).", "",
             "## Commands that are refused", "",
             "They are known, so that a script gets a clear answer instead of a surprise (exit code 1 or 10).", "",
             "| command | answer |", "| --- | --- |"]
    lines += [f"| `{name}` | {text} |" for name, text in sorted(refused.items())]
    lines += ["", "## Commands of bsradm", "", "| command | does |", "| --- | --- |"]
    for name, text, hidden in commands():
        if not hidden and not name.startswith("sh-"):
            lines.append(f"| `{name}` | {text}{' (**refused by this version**)' if name in refused else ''} |")
    lines += ["", "## Commands of bsrmon", "", "| command | does |", "| --- | --- |"]
    for name, arguments, text in monitor_commands():
        refused_here = " (**refused**)" if name == "io_delay_test" else ""
        lines.append(f"| `{name}{' ' if arguments else ''}{arguments.replace('|', chr(92) + '|')}` | {text}{refused_here} |")
    lines += ["", "## Commands of bsrcon", "", "| command | does |", "| --- | --- |"]
    for name, arguments, text, applies in console_commands():
        if applies:
            note = " (stored; **no effect in this version**)" if name == "set_fast_sync" else ""
            lines.append(f"| `/{name}{' ' if arguments else ''}{arguments.replace('|', chr(92) + '|')}` | {text.replace('|', chr(92) + '|')}{note} |")
    without = ", ".join(f"`/{name}`" for name, _, _, applies in console_commands() if not applies)
    lines += ["", f"Refused with one line, because there is no kernel driver that they could be about: {without}.",
              "", "## Options", "",
              "An option *without effect* is checked, kept, shown by `bsrsetup show`, and named in a line when it is set to",
              "something else than its default. Nothing acts on it. Options of `global` and `startup` are the tools' own",
              "and work; `proxy` has no effect, connections go to the peer directly.", "",
              "| section | with effect | without effect | refused |", "| --- | --- | --- | --- |"]
    lines += list(option_rows(effective, refused_values()))
    lines += ["", *foreign_words(), "", "## Handlers", "", f"Run when their event happens: {', '.join('`' + n + '`' for n in every if n in run)}.", "",
              f"Accepted in the configuration, never called: {', '.join('`' + n + '`' for n in every if n not in run)}.", "",
              "## Parts that do not exist yet", "",
              "- Online resize (see the commands above).",
              "- More than one Primary; nodes without a disk of their own; quorum.",
              "- Fencing: the options are accepted and have no effect. Let the cluster manager fence (STONITH) before it promotes.",
              "- Congestion policies: with protocol A writers wait when the send buffer is full.",
              "- Encryption of connections. Peers authenticate with `shared-secret`; data travel in clear text.",
              "- Front ends ublk and kernel nbd; there are FUSE with a loop device, and the NBD socket.",
              "- DRBD's dialect on the wire: both nodes run bsr. Metadata on disk are DRBD's.", ""]
    return "\n".join(lines)


def without_effect():
    """Names of options and handlers on which nothing acts, apart from those that say so already (DRBD only)."""
    effective, run = acted_on() | set(refused_values()), handlers_run()
    sections = {section for section, _ in SECTIONS}
    return {name for section, name, flags in options() if "INTERNAL" not in flags and "DRBD_ONLY" not in flags and (
        (section in sections and name not in effective) or (section == "HANDLERS" and name not in run))}


def marked(path, dead):
    """The page with the mark behind what is without effect, and behind nothing else."""
    text = read(path)
    if path.endswith(".scd"):
        entry = re.compile(r"^(\*([a-z0-9\\_-]+)\*(?: \([^\n]*\))?\n\t)([^\n]*)$", re.M)
        mark = " _(no effect in this version)_"
        body = slice(text.index("# OPTIONS OF DISK"), text.index("# FILES"))
    else:
        entry = re.compile(r"^(\| `([a-z0-9_-]+)` \|(?:.*\|)? )([^|\n]*?)( \|(?: [^|\n]* \|)?)$", re.M)
        mark = " *(no effect in this version)*"
        body = slice(text.index("### 7.2"), text.index("### 7.7"))

    def again(found):
        name = found.group(2).replace("\\", "")
        plain = found.group(3).replace(mark, "")
        rest = found.group(4) if found.re.groups > 3 else ""
        return found.group(1) + plain + (mark if name in dead else "") + rest

    return text[:body.start] + entry.sub(again, text[body]) + text[body.stop:]


def main():
    text = page()
    pages = {PAGE: text}
    for path in ("docs/configuration.md", "docs/man/bsr.conf.5.scd"):
        pages[path] = marked(path, without_effect())
    wrong = [f"daemon/options.c: option '{name}' claims an effect, but nobody reads {field}"
             for name, field in unread_fields(acted_on())]
    for path, text in pages.items():
        if "--check" not in sys.argv[1:]:
            with open(os.path.join(ROOT, path), "w", encoding="utf-8") as out:
                out.write(text)
        elif not os.path.exists(os.path.join(ROOT, path)) or read(path) != text:
            wrong.append(f"{path} is not up to date: run scripts/make_status.py")
    print("\n".join(wrong) or f"{PAGE} says what the code does")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
