#!/usr/bin/env python3
"""Writes pillow.zip: small pictures in every format, and what Pillow makes of each.

    python3 make_pillow.py        # Pillow 9.4.0 with libjpeg-turbo 2.1.5, libwebp 1.2.4, libtiff 4.5 (Debian 12)

NAME.EXT is the picture; NAME.EXT.png is Image.open(NAME.EXT).convert("RGB"), and stretch/WxH.R.png is
Image.open(stretch/WxH.png).convert("RGB").resize((R, R), Image.BILINEAR), as upstream TIGAS reads a file.
"""
import io
import os
import random
import struct
import zipfile
import zlib

from PIL import Image

random.seed(1)
archive = zipfile.ZipFile(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pillow.zip"), "w")


def add(name, file):
    archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), file, zipfile.ZIP_DEFLATED, 9)


def as_png(im):
    b = io.BytesIO()
    im.info.clear()
    im.save(b, "PNG", optimize=True)
    return b.getvalue()


def noise(mode, w, h):
    n = len(Image.new(mode, (1, 1)).tobytes())
    return Image.frombytes(mode, (w, h), bytes(random.randrange(256) for _ in range(w * h * n)))


def scene(w, h):
    """Gradients, saturated edges and a little noise: what makes chroma upsampling visible."""
    im = Image.new("RGB", (w, h))
    for y in range(h):
        for x in range(w):
            p = [255 * x // max(1, w - 1), 255 * y // max(1, h - 1), 255 * (x + y) // (w + h)]
            if (x // 5 + y // 7) % 3 == 0:
                p = [255 - p[0], p[1] // 2, 200]
            if (x - w / 2) ** 2 + (y - h / 2) ** 2 < (h / 4) ** 2:
                p = [230, 20, 30]
            im.putpixel((x, y), tuple(max(0, min(255, v + random.randrange(-6, 7))) for v in p))
    return im


def write(name, file):
    add(name, file)
    add(name + ".png", as_png(Image.open(io.BytesIO(file)).convert("RGB")))


def save(name, im, fmt, **kw):
    b = io.BytesIO()
    im.save(b, fmt, **kw)
    write(name, b.getvalue())


def png(width, height, depth, colour, rows, *chunks):
    """A PNG that Pillow itself does not write, such as one of 16 bits with colours."""
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    raw = b"".join(b"\0" + r for r in rows)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)) +
            b"".join(chunk(k, v) for k, v in chunks) + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b""))


def rows(n, length):
    return [bytes(random.randrange(256) for _ in range(length)) for _ in range(n)]


# JPEG: quality, subsampling (0: 4:4:4, 1: 4:2:2, 2: 4:2:0), odd sizes, widths where libjpeg does not interpolate.
big = scene(41, 29)
for sub, name in enumerate(["444", "422", "420"]):
    save(f"scene_{name}.jpg", big, "JPEG", quality=90, subsampling=sub)
    save(f"scene_{name}_q30.jpg", big, "JPEG", quality=30, subsampling=sub)
    for w, h in [(1, 1), (2, 2), (4, 1), (5, 3), (6, 7), (17, 16)]:
        save(f"noise_{name}_{w}x{h}.jpg", noise("RGB", w, h), "JPEG", quality=95, subsampling=sub)
save("progressive_420.jpg", big, "JPEG", quality=80, progressive=True)
save("progressive_422.jpg", scene(35, 18), "JPEG", quality=70, progressive=True, subsampling=1)
save("optimized_420.jpg", scene(35, 18), "JPEG", quality=97, optimize=True)
save("grey.jpg", big.convert("L"), "JPEG", quality=85)
save("cmyk.jpg", big.convert("CMYK"), "JPEG", quality=85)
# 4:4:0, which Pillow does not write: a 4:2:2 file of one MCU, two blocks of luma side by side, whose header is changed
# to have them one above the other.
b = io.BytesIO()
noise("RGB", 16, 8).save(b, "JPEG", quality=90, subsampling=1)
b = bytearray(b.getvalue())
at = b.index(b"\xff\xc0")
b[at + 5:at + 9] = struct.pack(">HH", 16, 8)
b[at + 11] = 0x12
write("noise_440_8x16.jpg", bytes(b))
# Restart markers, which Pillow 9.4 does not write: after every MCU of 4:4:4, so that each is what a file of 8 x 8 has.
tile = scene(40, 16)
scans = []
for i in range(10):
    b = io.BytesIO()
    x, y = i % 5 * 8, i // 5 * 8
    tile.crop((x, y, x + 8, y + 8)).save(b, "JPEG", quality=90, subsampling=0)
    b = bytearray(b.getvalue())
    sos = b.index(b"\xff\xda")
    data = sos + 2 + b[sos + 3]
    scans.append(bytes(b[data:-2]))
at = b.index(b"\xff\xc0")
b[at + 5:at + 9] = struct.pack(">HH", 16, 40)
write("restart.jpg", bytes(b[:sos]) + b"\xff\xdd\0\4\0\1" + bytes(b[sos:data]) + scans[0] +
      b"".join(bytes([0xff, 0xd0 + i % 8]) + part for i, part in enumerate(scans[1:])) + b"\xff\xd9")
exif = Image.Exif()
exif[0x0112] = 6
save("exif6.jpg", scene(20, 12), "JPEG", quality=90, exif=exif)

# PNG
small = scene(19, 13)
save("rgb.png", small, "PNG")
save("rgba.png", noise("RGBA", 9, 7), "PNG")
save("la.png", noise("LA", 9, 7), "PNG")
save("bit.png", small.convert("1"), "PNG")
save("palette.png", small.quantize(16), "PNG")
save("palette_trns.png", small.quantize(16), "PNG", transparency=3)
save("palette_alpha.png", small.quantize(16), "PNG", transparency=bytes(range(0, 256, 16)))
save("grey_trns.png", small.convert("L"), "PNG", transparency=small.convert("L").getpixel((0, 0)))
save("rgb_trns.png", small, "PNG", transparency=small.getpixel((0, 0)))
save("grey16.png", Image.frombytes("I;16", (9, 7), struct.pack("<63H", *(i * i * 3 % 700 for i in range(63)))), "PNG")
write("grey2.png", png(9, 7, 2, 0, rows(7, 3)))
write("grey4.png", png(9, 7, 4, 0, rows(7, 5)))
write("rgb16.png", png(9, 7, 16, 2, rows(7, 54)))
write("rgb16_trns.png", png(9, 7, 16, 2, [bytes(54)] + rows(6, 54), (b"tRNS", bytes(6))))
write("rgba16.png", png(9, 7, 16, 6, rows(7, 72)))
write("la16.png", png(9, 7, 16, 4, rows(7, 36)))
write("grey16_trns.png", png(9, 7, 16, 0, [struct.pack(">9H", *range(0, 450, 50))] + rows(6, 18), (b"tRNS", b"\0\x64")))

# GIF: palette, a frame smaller than the screen, a transparent colour with a colour behind it.
save("palette.gif", small.quantize(16), "GIF")
save("grey.gif", small.convert("L"), "GIF")
save("trns.gif", small.quantize(16), "GIF", transparency=5)
b = io.BytesIO()
small.quantize(16).save(b, "GIF", transparency=5, interlace=0)
for name, at, new in [("offset_trns.gif", None, (22, 17)), ("offset.gif", 0, (22, 17))]:
    g = bytearray(b.getvalue())
    g[6:10] = struct.pack("<HH", *new)
    d = g.index(b"\x2c\0\0\0\0")
    g[d + 1:d + 5] = struct.pack("<HH", 2, 3)
    e = g.find(b"\x21\xf9")
    if at == 0 and e >= 0:
        g[e + 3] &= ~1
    write(name, bytes(g))

# The rest.
save("rgb.bmp", small, "BMP")
save("grey.bmp", small.convert("L"), "BMP")
save("palette.bmp", small.quantize(16), "BMP")
save("rgb.tiff", small, "TIFF", compression="tiff_lzw")
save("rgba.tiff", noise("RGBA", 9, 7), "TIFF")
save("grey.tiff", small.convert("L"), "TIFF")
save("palette.tiff", small.quantize(16), "TIFF")
save("grey16.tiff", Image.frombytes("I;16", (9, 7), struct.pack("<63H", *(i * i * 3 % 700 for i in range(63)))), "TIFF")
save("turned.tiff", small, "TIFF", tiffinfo={0x0112: 6})
save("lossless.webp", small, "WEBP", lossless=True)
save("lossless_alpha.webp", noise("RGBA", 9, 7), "WEBP", lossless=True, exact=True)
save("lossy.webp", big, "WEBP", quality=85)
for w, h in [(1, 1), (2, 3), (5, 4), (16, 17)]:
    save(f"lossy_{w}x{h}.webp", noise("RGB", w, h), "WEBP", quality=90)
alpha = small.convert("RGBA")
alpha.putalpha(noise("L", *small.size))
save("lossy_alpha.webp", alpha, "WEBP", quality=80)

# Resizing.
for w, h, sizes in [(1, 1, [5]), (1, 40, [7]), (90, 3, [16]), (51, 37, [8, 32, 37, 51]), (16, 10, [16]), (10, 16, [16]),
                    (9, 14, [33])]:
    im = noise("RGB", w, h)
    add(f"stretch/{w}x{h}.png", as_png(im))
    for r in sizes:
        add(f"stretch/{w}x{h}.{r}.png", as_png(im.resize((r, r), Image.BILINEAR)))
archive.close()
