# SPDX-License-Identifier: GPL-2.0-or-later
"""A bar chart as SVG: one group per job, one bar per target, heights as ratios to the bare file."""
from xml.sax.saxutils import escape

COLOURS = ["#888888", "#c9a227", "#e07b39", "#4477aa", "#77aadd", "#228833", "#77cc88", "#aa3377", "#dd88bb", "#663399",
           "#aa88cc"]
WIDTH, GROUP, BAR = 900, 110, 9


def write(path, medium, results):
    bare = results["bare"]
    targets = [name for name in results if set(results[name]) & set(bare)]
    top = max(max(results[t][job]["bytes_s"] / bare[job]["bytes_s"] for t in targets if job in results[t])
              for job in bare)
    scale = max(1.0, min(top, 4.0))
    height = 60 + GROUP * len(bare) + 20
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
             f'font-size="10"><rect width="100%" height="100%" fill="white"/>',
             f'<text x="10" y="20" font-size="14">bsr benchmark, files in {escape(medium)}: ratio to the bare file '
             '(bars are cut at 4)</text>']
    left, room = 190, WIDTH - 190 - 90
    y = 40
    for job in bare:
        parts.append(f'<text x="10" y="{y + 12}" font-size="12">{escape(job)}</text>')
        for index, target in enumerate(t for t in targets if job in results[t]):
            ratio = results[target][job]["bytes_s"] / bare[job]["bytes_s"]
            at = y + index * BAR
            colour = COLOURS[targets.index(target) % len(COLOURS)]
            parts.append(f'<rect x="{left}" y="{at}" width="{min(ratio, 4.0) / scale * room:.1f}" height="{BAR - 1}" '
                         f'fill="{colour}"><title>{escape(target)}: {ratio:.2f}</title></rect>')
            parts.append(f'<text x="{left + min(ratio, 4.0) / scale * room + 4:.1f}" y="{at + BAR - 1}" font-size="8">'
                         f'{ratio:.2f} {escape(target)}</text>')
        y += GROUP
    one = left + room / scale
    parts.append(f'<line x1="{one:.1f}" y1="34" x2="{one:.1f}" y2="{height - 20}" stroke="#888" '
                 'stroke-dasharray="3,3"/></svg>')
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n".join(parts) + "\n")
