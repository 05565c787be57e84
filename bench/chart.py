"""Bars of times relative to the slowest, a group a model: an SVG by hand, since a picture of rectangles needs no more."""

from html import escape

COLOURS = ["#0a7d62", "#8899aa", "#c58b2a", "#7a5ea8", "#b5505a"]
LEFT, WIDTH, BAR, GAP, TOP = 150, 520, 12, 14, 50


def bars(result, names):
    lines, y = [], TOP
    for row in result["rows"]:
        present = [n for n in names if n in row]
        worst = max(row[n]["min_ms"] for n in present)
        lines.append(f'<text x="{LEFT - 8}" y="{y + BAR * len(present) / 2 + 4}" text-anchor="end">{escape(row["model"])}</text>')
        for name in present:
            width, ms = WIDTH * row[name]["min_ms"] / worst, row[name]["min_ms"]
            colour = COLOURS[names.index(name) % len(COLOURS)]
            lines.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{colour}"/>')
            lines.append(f'<text x="{LEFT + width + 4:.1f}" y="{y + BAR - 3}" font-size="9">{ms:.2f} ms</text>')
            y += BAR
        y += GAP
    legend, x = [], LEFT
    for i, name in enumerate(names):
        legend.append(f'<rect x="{x}" y="28" width="10" height="10" fill="{COLOURS[i % len(COLOURS)]}"/>'
                      f'<text x="{x + 14}" y="37">{escape(name)}</text>')
        x += 110
    title = f"{result['machine']['cpu']}, {result['threads']} threads, fp32, batch 1: least time, shorter is better"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 90}" height="{y + 10}" font-family="sans-serif" '
            f'font-size="12">\n<rect width="100%" height="100%" fill="#ffffff"/>\n<text x="{LEFT}" y="18">{escape(title)}</text>\n'
            + "\n".join(legend + lines) + "\n</svg>\n")
