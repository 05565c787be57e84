#!/usr/bin/env python3
"""Writes the pictures of tests/fuzz/corpus/image: one small file for each kind that src/vision reads. The pixels follow
the formulas of tests/unit/vision/test_vision.c, which checks them. PNG, BMP and PNM are written byte by byte here (Pillow writes
neither interlaced nor 16-bit colour); the others need Pillow.

    python3 tests/fuzz/make_images.py
"""
import pathlib
import struct
import zlib

from PIL import Image

FOLDER = pathlib.Path(__file__).resolve().parent / "corpus" / "image"
W, H = 13, 9


def rgb(x, y):
    return (x * 19, y * 28, (x * 7 + y * 11) % 256)


def grey(x, y):
    return (x * 13 + y * 9) % 256


def index(x, y, count):
    return (x + 3 * y) % count


def palette(count):
    return [(i * 255 // (count - 1), 255 - i * 255 // (count - 1), i * 7 % 256) for i in range(count)]


def pack(values, bits):
    """Indices of fewer than eight bits, first in the high bits."""
    out = bytearray((len(values) * bits + 7) // 8)
    for i, v in enumerate(values):
        out[i * bits // 8] |= v << (8 - bits - i * bits % 8)
    return bytes(out)


# ---- PNG --------------------------------------------------------------------------------------------------------------


def png(name, kind, bits, row, interlaced=False, extra=b""):
    """|row|(xs, y) gives the bytes of the pixels xs of row y."""
    def chunk(tag, data):
        return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b"".join(b"\0" + row(range(x0, W, dx), y) for x0, y0, dx, dy in passes for y in range(y0, H, dy) if x0 < W)
    header = struct.pack(">IIBBBBB", W, H, bits, kind, 0, 0, int(interlaced))
    (FOLDER / name).write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(raw, 9)) +
                                chunk(b"IEND", b""))


def palette_chunks(count, alpha):
    data = b"".join(bytes(p) for p in palette(count))
    chunks = b""
    for tag, body in ((b"PLTE", data), (b"tRNS", bytes(range(count)) if alpha else b"")):
        if body:
            chunks += struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))
    return chunks


def write_png():
    png("rgb.png", 2, 8, lambda xs, y: b"".join(bytes(rgb(x, y)) for x in xs))
    png("rgb-interlaced.png", 2, 8, lambda xs, y: b"".join(bytes(rgb(x, y)) for x in xs), interlaced=True)
    png("rgb-16.png", 2, 16, lambda xs, y: b"".join(bytes((v, v)) for x in xs for v in rgb(x, y)))
    png("rgb-alpha.png", 6, 8, lambda xs, y: b"".join(bytes((*rgb(x, y), x * 20)) for x in xs))
    png("grey.png", 0, 8, lambda xs, y: bytes(grey(x, y) for x in xs))
    png("grey-alpha.png", 4, 8, lambda xs, y: b"".join(bytes((grey(x, y), y)) for x in xs))
    png("grey-1.png", 0, 1, lambda xs, y: pack([index(x, y, 2) for x in xs], 1))
    png("palette-4.png", 3, 4, lambda xs, y: pack([index(x, y, 16) for x in xs], 4), extra=palette_chunks(16, True))


# ---- BMP --------------------------------------------------------------------------------------------------------------


def bmp(name, bits, row, colours=(), top_down=False, masks=(), core=False):
    rows = [row(y) for y in range(H)]
    rows = [r + bytes(-len(r) % 4) for r in (rows if top_down else rows[::-1])]
    if core:
        header = struct.pack("<IHHHH", 12, W, H, 1, bits)
        table = b"".join(bytes((b, g, r)) for r, g, b in colours)
    else:
        header = struct.pack("<IiiHHIIiiII", 40, W, -H if top_down else H, 1, bits, 3 if masks else 0, 0, 2835, 2835,
                             len(colours), 0)
        table = b"".join(struct.pack("<I", m) for m in masks) + b"".join(bytes((b, g, r, 0)) for r, g, b in colours)
    offset = 14 + len(header) + len(table)
    body = b"".join(rows)
    (FOLDER / name).write_bytes(struct.pack("<2sIHHI", b"BM", offset + len(body), 0, 0, offset) + header + table + body)


def write_bmp():
    bgr = lambda y: b"".join(bytes(rgb(x, y)[::-1]) for x in range(W))
    for bits in (1, 4, 8):
        count = 1 << bits
        bmp(f"palette-{bits}.bmp", bits, lambda y: pack([index(x, y, count) for x in range(W)], bits), palette(count))
    bmp("palette-4-core.bmp", 4, lambda y: pack([index(x, y, 16) for x in range(W)], 4), palette(16), core=True)
    bmp("rgb-24.bmp", 24, bgr)
    bmp("rgb-24-top-down.bmp", 24, bgr, top_down=True)
    bmp("rgb-32.bmp", 32, lambda y: b"".join(bytes((*rgb(x, y)[::-1], 77)) for x in range(W)))
    bmp("rgb-32-masks.bmp", 32, lambda y: b"".join(bytes((9, *rgb(x, y))) for x in range(W)),
        masks=(0x0000ff00, 0x00ff0000, 0xff000000))
    bmp("rgb-16-masks.bmp", 16, lambda y: b"".join(
        struct.pack("<H", (r >> 3) << 11 | (g >> 2) << 5 | b >> 3) for r, g, b in (rgb(x, y) for x in range(W))),
        masks=(0xf800, 0x07e0, 0x001f))


# ---- JPEG -------------------------------------------------------------------------------------------------------------


def write_jpeg():
    colour, plain = Image.new("RGB", (W, H)), Image.new("L", (W, H))
    colour.putdata([rgb(x, y) for y in range(H) for x in range(W)])
    plain.putdata([grey(x, y) for y in range(H) for x in range(W)])
    colour.save(FOLDER / "rgb.jpg", quality=97, subsampling=0)
    colour.save(FOLDER / "rgb-420.jpg", quality=90, subsampling=2)
    colour.save(FOLDER / "rgb-progressive.jpg", quality=97, subsampling=0, progressive=True)
    colour.convert("CMYK").save(FOLDER / "cmyk.jpg", quality=97, subsampling=0)
    plain.save(FOLDER / "grey.jpg", quality=97)


# ---- PNM --------------------------------------------------------------------------------------------------------------


def write_pnm():
    def pnm(name, kind, most, body):
        (FOLDER / name).write_bytes(b"P%d # a comment\n%d %d\n" % (kind, W, H) + (b"%d\n" % most if most else b"") + body)

    places = [(x, y) for y in range(H) for x in range(W)]
    colours = [c for x, y in places for c in rgb(x, y)]
    bits = lambda y: [1 - index(x, y, 2) for x in range(W)]
    text = lambda values: b"".join(b"%d%s" % (v, b"\n" if i % 12 == 11 else b" ") for i, v in enumerate(values))
    pnm("bilevel-text.pbm", 1, 0, b"".join(b"%d" % b for y in range(H) for b in bits(y)))
    pnm("grey-text.pgm", 2, 255, text(grey(x, y) for x, y in places))
    pnm("rgb-text.ppm", 3, 255, text(colours))
    pnm("bilevel.pbm", 4, 0, b"".join(pack(bits(y), 1) for y in range(H)))
    pnm("grey.pgm", 5, 255, bytes(grey(x, y) for x, y in places))
    pnm("grey-16.pgm", 5, 65535, b"".join(struct.pack(">H", grey(x, y) * 257) for x, y in places))
    pnm("rgb.ppm", 6, 255, bytes(colours))


# ---- WebP, TIFF, JPEG 2000 --------------------------------------------------------------------------------------------


def write_others():
    colour, plain, bilevel = Image.new("RGB", (W, H)), Image.new("L", (W, H)), Image.new("1", (W, H))
    indexed = Image.new("P", (W, H))
    places = [(x, y) for y in range(H) for x in range(W)]
    colour.putdata([rgb(x, y) for x, y in places])
    plain.putdata([grey(x, y) for x, y in places])
    bilevel.putdata([index(x, y, 2) * 255 for x, y in places])
    indexed.putdata([index(x, y, 16) for x, y in places])
    indexed.putpalette([c for entry in palette(16) for c in entry])
    alpha = colour.copy()
    alpha.putalpha(77)
    colour.save(FOLDER / "rgb.webp", quality=90)
    colour.save(FOLDER / "rgb-lossless.webp", lossless=True)
    alpha.save(FOLDER / "rgb-alpha.webp", lossless=True, exact=True)
    colour.save(FOLDER / "rgb.tif")
    colour.save(FOLDER / "rgb-lzw.tif", compression="tiff_lzw")
    colour.save(FOLDER / "rgb-deflate.tif", compression="tiff_adobe_deflate")
    alpha.save(FOLDER / "rgb-alpha.tif")
    plain.save(FOLDER / "grey-packbits.tif", compression="packbits")
    bilevel.save(FOLDER / "bilevel-g4.tif", compression="group4")
    indexed.save(FOLDER / "palette-8.tif")
    colour.save(FOLDER / "rgb.jp2", irreversible=False)
    alpha.save(FOLDER / "rgb-alpha.jp2", irreversible=False)
    colour.save(FOLDER / "rgb-lossy.jp2", irreversible=True, quality_mode="dB", quality_layers=[40])
    plain.save(FOLDER / "grey.j2k", irreversible=False, no_jp2=True)


FOLDER.mkdir(parents=True, exist_ok=True)
write_png()
write_bmp()
write_jpeg()
write_pnm()
write_others()
