#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Links between the project's own pages lead somewhere: the file exists, and so does the heading."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.M | re.S)


def headings(path):
    """Anchors of a page, as code hosts make them."""
    with open(path, encoding="utf-8") as page:
        titles = re.findall(r"^#+ (.*)$", page.read(), re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def problems(page):
    """Broken links of a page."""
    full = os.path.join(ROOT, page)
    with open(full, encoding="utf-8") as text:
        links = LINK.findall(CODE.sub("", text.read()))
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = os.path.normpath(os.path.join(os.path.dirname(full), path)) if path else full
        if not os.path.exists(target):
            yield f"{page}: {link} does not exist"
        elif anchor and anchor not in headings(target):
            yield f"{page}: {link}: no such heading"


def main():
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True)
    pages = [page for page in listed.stdout.split() if os.path.exists(os.path.join(ROOT, page))]
    found = [line for page in pages for line in problems(page)]
    print("\n".join(found) or f"links of {len(pages)} pages lead somewhere")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
