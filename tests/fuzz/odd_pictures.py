"""Pictures of all kinds with the RGB values that a viewer shows, worked out here pixel by pixel, and what is refused.

`draw` gives (bytes, RGB values or None where the picture must be refused, largest difference that the format allows).
"""

import functools
import io
import itertools
import struct
import zlib

import numpy as np
from PIL import Image

# Of EXIF: what turns the stored rows into the upright picture.
UPRIGHT = {
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x[::-1].swapaxes(0, 1),
    7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
    8: lambda x: x[:, ::-1].swapaxes(0, 1),
}


def grey(values):
    return np.stack([values] * 3, 2)


def on_white(colours, alpha):
    return np.rint(colours * (alpha[..., None] / 255) + 255 - alpha[..., None])


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(rows, width, colour_type, bits, *, chunks=(), interlaced=0):
    """A PNG of packed rows, (height, bytes) uint8."""
    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour_type, 0, 0, interlaced)
    content = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", content), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(itertools.starmap(chunk, parts))


def tiff(rows, width, photometric, bits, *, order="<", sample_format=1, extra=(), palette=(), orientation=1):
    """An uncompressed TIFF in one strip, of packed rows, (height, bytes) uint8."""
    content = rows.tobytes()
    tags = {256: width, 257: len(rows), 258: bits, 259: 1, 262: photometric, 273: 0, 274: orientation}
    tags |= {277: len(bits), 278: len(rows), 279: len(content), 339: (sample_format,) * len(bits)}
    tags |= {338: extra} if extra else {}
    tags |= {320: palette} if palette else {}
    start = 8 + 2 + 12 * len(tags) + 4
    beside = {}
    for tag, value in tags.items():
        packed = struct.pack(f"{order}{len(value)}H", *value) if isinstance(value, tuple) else b""
        if len(packed) > 4:
            beside[tag] = start, packed
            start += len(packed)
    tags[273] = start
    entries = b""
    for tag, value in sorted(tags.items()):
        if tag in beside:
            entries += struct.pack(f"{order}HHLL", tag, 3, len(value), beside[tag][0])
        elif isinstance(value, tuple):
            entries += struct.pack(f"{order}HHL", tag, 3, len(value))
            entries += struct.pack(f"{order}{len(value)}H", *value).ljust(4, b"\0")
        else:
            entries += struct.pack(f"{order}HHLL", tag, 4, 1, value)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}LH", 8, len(tags))
    return head + entries + bytes(4) + b"".join(packed for _, packed in beside.values()) + content


def packed(values, bits):
    """Rows of (height, width) values of less than 8 bits, the first in the highest bits, padded to bytes."""
    each = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(each.reshape(len(values), -1).astype(np.uint8), axis=1)


def as_bytes(values, dtype):
    return np.ascontiguousarray(values, dtype).view(np.uint8).reshape(len(values), -1)


class Drawn:
    """The random values of one picture: uint8 (height, width) and (height, width, 3), opacity, and 16 bits of both."""

    def __init__(self, rng):
        values = np.random.default_rng(rng.getrandbits(64))
        shape = rng.choice([(1, 1), (1, 9), (9, 1), (3, 50), (50, 3)] + [(rng.randint(2, 30), rng.randint(2, 30))] * 5)
        self.height, self.width = shape
        self.grey, self.alpha = values.integers(0, 256, (2, *shape), np.uint8)
        self.colour = values.integers(0, 256, (*shape, 3), np.uint8)
        self.grey16 = values.integers(0, 65536, shape, np.uint16)
        self.colour16 = values.integers(0, 65536, (*shape, 3), np.uint16)
        self.alpha16 = values.integers(0, 65536, shape, np.uint16)
        self.grey16.flat[0] = self.colour16.flat[0] = 65535  # of 16 bits, and not of 12
        self.palette = values.integers(0, 256, (256, 3), np.uint8)
        self.orientation = rng.randint(1, 8)
        self.order = rng.choice("<>")
        self.rng = rng


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _exif(drawn):
    exif = Image.Exif()
    exif[0x0112] = drawn.orientation
    return exif


def _lossless(drawn):
    """RGB as a format of Pillow's writes it, with an orientation where the format has one."""
    kind = drawn.rng.choice(["PNG", "BMP", "TIFF", "WEBP", "PPM"])
    options = {"lossless": True} if kind == "WEBP" else {}
    if kind == "TIFF":
        options["compression"] = drawn.rng.choice([None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
    if kind in ("BMP", "PPM"):
        return saved(Image.fromarray(drawn.colour), kind), drawn.colour, 0
    content = saved(Image.fromarray(drawn.colour), kind, exif=_exif(drawn), **options)
    return content, UPRIGHT[drawn.orientation](drawn.colour), 0


def _flat_jpeg(drawn):
    """One colour, which JPEG keeps, or the four inks of CMYK."""
    mode = drawn.rng.choice(["RGB", "L", "CMYK"])
    colour = drawn.palette[0]
    flat = Image.new("RGB", (drawn.width, drawn.height), tuple(map(int, colour))).convert(mode)
    expected = grey(np.full((drawn.height, drawn.width), np.asarray(flat).flat[0])) if mode == "L" else None
    expected = np.tile(colour, (drawn.height, drawn.width, 1)) if expected is None else expected
    content = saved(flat, "JPEG", quality=100, exif=_exif(drawn))
    return content, UPRIGHT[drawn.orientation](expected), 4


def _few_bits(drawn):
    """Grey or palette of 1, 2 or 4 bits, as PNG or TIFF."""
    bits = drawn.rng.choice([1, 2, 4])
    values = drawn.grey >> (8 - bits)
    rows, shades = packed(values, bits), values * (255 // (2**bits - 1))
    if drawn.rng.random() < 0.5:
        if drawn.rng.random() < 0.5:
            return png(rows, drawn.width, 0, bits), grey(shades), 0
        palette = drawn.palette[: 2**bits]
        return png(rows, drawn.width, 3, bits, chunks=[(b"PLTE", palette.tobytes())]), palette[values], 0
    white_is_zero = drawn.rng.random() < 0.5
    content = tiff(rows, drawn.width, 0 if white_is_zero else 1, (bits,), order=drawn.order)
    return content, grey(255 - shades if white_is_zero else shades), 0


def _transparent(drawn):
    """Grey, colour or palette with opacity for each pixel."""
    kind = drawn.rng.choice(["LA", "RGBA", "P", "PA", "RGBA as TIFF", "RGBA as WebP", "LA as TIFF"])
    alpha, colours = drawn.alpha, drawn.colour
    if kind == "P":
        chunks = [(b"PLTE", drawn.palette.tobytes()), (b"tRNS", bytes(range(256)))]
        content = png(drawn.grey, drawn.width, 3, 8, chunks=chunks)
        return content, on_white(drawn.palette[drawn.grey].astype(float), drawn.grey), 1
    if kind.startswith("LA"):
        colours = grey(drawn.grey)
        pixels = as_bytes(np.stack([drawn.grey, alpha], 2), np.uint8)
        if kind == "LA":
            return png(pixels, drawn.width, 4, 8), on_white(colours.astype(float), alpha), 1
        return tiff(pixels, drawn.width, 1, (8, 8), extra=(2,)), on_white(colours.astype(float), alpha), 1
    pixels = as_bytes(np.concatenate([colours, alpha[..., None]], 2), np.uint8)
    content = {
        "RGBA": lambda: png(pixels, drawn.width, 6, 8),
        "RGBA as TIFF": lambda: tiff(pixels, drawn.width, 2, (8,) * 4, extra=(2,), order=drawn.order),
        "RGBA as WebP": lambda: saved(
            Image.fromarray(pixels.reshape(*alpha.shape, 4), "RGBA"), "WEBP", lossless=True, exact=True
        ),
    }
    if kind in content:
        return content[kind](), on_white(colours.astype(float), alpha), 1
    table = tuple(int(value) * 257 for value in drawn.palette.T.ravel())
    pixels = as_bytes(np.stack([drawn.grey, alpha], 2), np.uint8)
    content = tiff(pixels, drawn.width, 3, (8, 8), extra=(2,), palette=table)
    return content, on_white(drawn.palette[drawn.grey].astype(float), alpha), 1


def _transparent_value(drawn):
    """A grey value, or a colour, that is transparent."""
    if drawn.rng.random() < 0.5:
        key = int(drawn.grey[0, 0])
        content = png(drawn.grey, drawn.width, 0, 8, chunks=[(b"tRNS", struct.pack(">H", key))])
        return content, grey(np.where(drawn.grey == key, 255, drawn.grey)), 0
    key = drawn.colour[0, 0]
    content = png(as_bytes(drawn.colour, np.uint8), drawn.width, 2, 8, chunks=[(b"tRNS", key.astype(">u2").tobytes())])
    return content, np.where((drawn.colour == key).all(2, keepdims=True), 255, drawn.colour), 0


def _of_16_bits(drawn):
    """Grey as v / 257, rounded; colours by their upper 8 bits, beside opacity grey too."""
    kind = drawn.rng.choice(["grey", "colour", "grey and opacity", "grey as TIFF", "colour as TIFF", "PGM", "PPM"])
    rounded = grey(np.rint(drawn.grey16 / 257))
    if kind == "grey":
        return png(as_bytes(drawn.grey16, ">u2"), drawn.width, 0, 16), rounded, 0
    if kind == "colour":
        return png(as_bytes(drawn.colour16, ">u2"), drawn.width, 2, 16), drawn.colour16 >> 8, 0
    if kind == "grey and opacity":
        pixels = as_bytes(np.stack([drawn.grey16, drawn.alpha16], 2), ">u2")
        return png(pixels, drawn.width, 4, 16), on_white(grey(drawn.grey16 >> 8).astype(float), drawn.alpha16 >> 8), 1
    if kind == "grey as TIFF":
        order = drawn.order
        content = tiff(as_bytes(drawn.grey16, f"{order}u2"), drawn.width, 1, (16,), order=order)
        return content, rounded, 0
    if kind == "colour as TIFF":
        order = drawn.order
        pixels = as_bytes(drawn.colour16, f"{order}u2")
        content = tiff(pixels, drawn.width, 2, (16,) * 3, order=order, orientation=drawn.orientation)
        return content, UPRIGHT[drawn.orientation](drawn.colour16 >> 8), 0
    head = b"P%d\n# a comment\n%d %d\n65535\n" % (5 if kind == "PGM" else 6, drawn.width, drawn.height)
    values = drawn.grey16 if kind == "PGM" else drawn.colour16
    return head + values.astype(">u2").tobytes(), rounded if kind == "PGM" else np.rint(drawn.colour16 / 257), 1


def _of_other_range(drawn):
    """PGM of any largest value, as text or bytes."""
    largest = drawn.rng.choice([1, 3, 100, 200, 254])
    values = (drawn.grey % (largest + 1)).astype(np.uint8)
    head = b"%d %d\n%d\n" % (drawn.width, drawn.height, largest)
    text = "\n".join(" ".join(map(str, row)) for row in values.tolist()).encode()
    content = b"P2\n" + head + text if drawn.rng.random() < 0.5 else b"P5\n" + head + values.tobytes()
    return content, grey(np.rint(values / largest * 255)), 1


def _gif(drawn):
    image = Image.fromarray(drawn.grey, "P")
    image.putpalette(drawn.palette.tobytes())
    if drawn.rng.random() < 0.5:
        return saved(image, "GIF"), drawn.palette[drawn.grey], 0
    key = int(drawn.grey[0, 0])
    colours = np.where((drawn.grey == key)[..., None], 255, drawn.palette[drawn.grey])
    return saved(image, "GIF", transparency=key), colours, 0


def _cmyk(drawn):
    inks = np.concatenate([drawn.colour, drawn.alpha[..., None]], 2)
    content = tiff(as_bytes(inks, np.uint8), drawn.width, 5, (8,) * 4, order=drawn.order)
    return content, np.rint((255 - drawn.colour.astype(float)) * (255 - drawn.alpha[..., None].astype(float)) / 255), 1


def _refused(drawn):
    """What has no agreed range, several images, or no image at all."""
    small = drawn.grey16 % 4096
    frames = [Image.fromarray(drawn.colour), Image.fromarray(255 - drawn.colour)]
    content = {
        "signed": lambda: tiff(drawn.grey, drawn.width, 1, (8,), sample_format=2, order=drawn.order),
        "signed 16": lambda: tiff(
            as_bytes(drawn.grey16, f"{drawn.order}u2"), drawn.width, 1, (16,), sample_format=2, order=drawn.order
        ),
        "12 bits": lambda: png(as_bytes(small, ">u2"), drawn.width, 0, 16),
        "12 bits as TIFF": lambda: tiff(as_bytes(small, "<u2"), drawn.width, 1, (16,)),
        "32 bits": lambda: saved(Image.fromarray(drawn.grey.astype(np.int32)), "TIFF"),
        "floating point": lambda: saved(Image.fromarray(drawn.grey / np.float32(255)), "TIFF"),
        "half precision": lambda: tiff(as_bytes(drawn.grey, "<f2"), drawn.width, 1, (16,), sample_format=3),
        "double precision": lambda: tiff(as_bytes(drawn.grey, "<f8"), drawn.width, 1, (64,), sample_format=3),
        "16 bits with a transparent value": lambda: png(
            as_bytes(drawn.grey16, ">u2"), drawn.width, 0, 16, chunks=[(b"tRNS", b"\0\0")]
        ),
        "animation": lambda: saved(
            frames[0], drawn.rng.choice(["PNG", "GIF", "WEBP", "TIFF"]), save_all=True, append_images=frames[1:]
        ),
        "nothing": lambda: b"",
        "text": lambda: b"<!DOCTYPE html><title>404</title>",
        "PDF": lambda: b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
        "SVG": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>',
        "PostScript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n",
        "no width": lambda: png(drawn.grey, 0, 0, 8),
        "no height": lambda: png(drawn.grey[:0], drawn.width, 0, 8),
        "no pixels": lambda: b"P5 0 0 255\n",
        "billions of pixels": lambda: png(drawn.grey, 60_000, 0, 8).replace(
            struct.pack(">II", 60_000, drawn.height), struct.pack(">II", 60_000, 60_000)
        ),
        "more than memory": _whole_and_huge,
    }
    return content[drawn.rng.choice(sorted(content))](), None, 0


@functools.cache
def _whole_and_huge():
    """Half a gigabyte of black pixels."""
    side = 13_000
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    squeeze = zlib.compressobj(1)
    rows = b"".join(squeeze.compress(bytes(1 + 3 * side)) for _ in range(side)) + squeeze.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


KINDS = [
    _lossless,
    _lossless,
    _flat_jpeg,
    _few_bits,
    _transparent,
    _transparent,
    _transparent_value,
    _of_16_bits,
    _of_16_bits,
    _of_other_range,
    _gif,
    _cmyk,
]


def draw(rng):
    """A picture that is shown, at random."""
    return rng.choice(KINDS)(Drawn(rng))


def draw_refused(rng):
    """A picture that is refused, at random."""
    return _refused(Drawn(rng))


def fitted(pixels, size):
    """The central square of (height, width, 3) pixels, resized by a triangle filter, by definition."""
    height, width, _ = pixels.shape
    side = min(height, width)
    rows, columns = (_weights(length, (length - side) / 2, side, size) for length in (height, width))
    return np.einsum("yh,hwc,xw->yxc", rows, pixels.astype(float), columns)


def _weights(length, start, side, size):
    """(size, length) shares of the old pixels in each new one."""
    scale = side / size
    reach = max(scale, 1)
    centres = start + (np.arange(size) + 0.5) * scale
    away = np.abs(np.arange(length) + 0.5 - centres[:, None]) / reach
    weights = np.maximum(1 - away, 0)
    return weights / weights.sum(1, keepdims=True)
