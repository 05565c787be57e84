#!/usr/bin/env python3
"""Writes unicode_tables.inc from the Unicode data that this Python has: `python3 make_unicode.py` in this folder."""
import sys
import unicodedata
from pathlib import Path

END = 0x110000


def case_rows(convert):
    """[first, last, delta, step] of letters whose other case is one code point."""
    rows = []
    for rune in range(0x80, END):
        other = convert(chr(rune))
        if len(other) != 1 or ord(other) == rune:
            continue
        delta = ord(other) - rune
        if rows and rows[-1][2] == delta:
            first, last, _, step = rows[-1]
            if rune - last == step or (first == last and rune - last <= 2):
                rows[-1] = [first, rune, delta, rune - last]
                continue
        rows.append([rune, rune, delta, 1])
    return rows


def category_rows():
    rows = []
    for rune in range(END):
        category = unicodedata.category(chr(rune))
        if not rows or rows[-1][1] != category:
            rows.append((rune, category))
    return rows


def lines_of(items):
    line = " "
    for item in items:
        if len(line) + len(item) + 2 > 118:
            yield line
            line = " "
        line += f" {item},"
    yield line


def main():
    categories = category_rows()
    names = sorted({category for _, category in categories})
    out = [f"/* Made by make_unicode.py from Unicode {unicodedata.unidata_version}: do not edit. */", ""]
    for name, convert in (("to_lower", str.lower), ("to_upper", str.upper)):
        out.append(f"static const case_range {name}[] = {{")
        out += lines_of("{0x%x, 0x%x, %d, %d}" % tuple(row) for row in case_rows(convert))
        out += ["};", ""]
    out.append("const char *const pn_rune_categories[PN_RUNE_CATEGORIES] = {")
    out += lines_of(f'"{name}"' for name in names)
    out += ["};", "", "static const category_range categories[] = {"]
    out += lines_of("{0x%x, %d}" % (rune, names.index(category)) for rune, category in categories)
    out += ["};", ""]
    (Path(sys.argv[0]).resolve().parent / "unicode_tables.inc").write_text("\n".join(out))


if __name__ == "__main__":
    main()
