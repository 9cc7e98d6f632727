"""What an image file becomes: the right pixels, or one sentence that names the file."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from widedeep.data import pictures, streaming
from widedeep.runtime.errors import MayBeWhole, UserError

# Dark left, bright right; no row or column equals another one.
GREY = (np.arange(12)[None] * 20 + np.arange(6)[:, None]).astype(np.uint8)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], 2)
SIXTEEN = GREY.astype(np.uint16) * 257


def saved(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def grey(kind="PNG", pixels=GREY, **options):
    return saved(Image.fromarray(pixels), kind, **options)


def colour(kind="PNG", mode="RGB", **options):
    return saved(Image.fromarray(COLOUR).convert(mode), kind, **options)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(pixels, colour_type, bits=16, extra=b""):
    """A PNG of which Pillow writes none: big-endian (height, width, channels) of 16 bits, or packed rows."""
    height, width = GREY.shape
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def orientation(number):
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def half_transparent():
    """Grey of half the opacity."""
    return saved(Image.merge("LA", [Image.fromarray(GREY), Image.new("L", GREY.shape[::-1], 128)]))


def hidden_red(mode="RGBA"):
    """Green on the left; on the right, transparent red."""
    image = Image.new("RGBA", (12, 6), (255, 0, 0, 0))
    image.paste((0, 255, 0, 255), (0, 0, 6, 6))
    return saved(image) if mode == "RGBA" else saved(image.quantize())


def keyed(bits=8):
    """Grey whose value 0 is the transparent one."""
    key = chunk(b"tRNS", struct.pack(">H", 0))
    return png(GREY if bits == 8 else SIXTEEN.astype(">u2"), 0, bits, key)


def animated(kind):
    frames = [Image.new("RGB", (12, 6), shade) for shade in ("red", "blue")]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:])


def three(values):
    return np.stack([values] * 3, 2)


GREEN_ON_WHITE = np.full((6, 12, 3), 255)
GREEN_ON_WHITE[:, :6] = (0, 255, 0)
ROTATED = np.rot90(COLOUR, -1)  # orientation 6: to be turned clockwise
RIGHT = {
    "png": (colour(), COLOUR),
    "grey": (grey(), three(GREY)),
    "grey of 16 bits": (grey(pixels=SIXTEEN), three(GREY)),
    "grey of 16 bits as TIFF": (grey("TIFF", SIXTEEN), three(GREY)),
    "grey of 16 bits rounded": (grey(pixels=SIXTEEN + 129), three(GREY + 1)),
    "grey of 16 bits whose white is zero": (grey("TIFF", 65535 - SIXTEEN, tiffinfo={262: 0}), three(GREY)),
    "grey of 16 bits as PGM": (grey("PPM", SIXTEEN), three(GREY)),
    "grey of 12 bits as PGM": (
        b"P5 12 6 4095\n" + np.rint(GREY / 255 * 4095).astype(">u2").tobytes(),
        three(GREY),
    ),
    "colour of 16 bits": (png((COLOUR.astype(">u2") * 257).astype(">u2"), 2), COLOUR),
    "colour of 16 bits as PPM": (b"P6 12 6 65535\n" + (COLOUR.astype(">u2") * 257).astype(">u2").tobytes(), COLOUR),
    "grey whose white is zero": (grey("TIFF", tiffinfo={262: 0}), three(GREY)),
    "two values": (saved(Image.fromarray(GREY > 100)), three(np.where(GREY > 100, 255, 0))),
    "palette": (saved(Image.fromarray(GREY).quantize(200), "PNG"), three(GREY)),
    "half transparent": (half_transparent(), three(np.rint(GREY / 255 * 128 + 127))),
    "transparent": (hidden_red(), GREEN_ON_WHITE),
    "transparent palette": (hidden_red("P"), GREEN_ON_WHITE),
    "transparent value": (keyed(), three(np.where(GREY == 0, 255, GREY))),
    "CMYK": (colour("TIFF", "CMYK"), COLOUR),
    "YCbCr": (colour("TIFF", "YCbCr"), COLOUR),
    "turned JPEG": (colour("JPEG", exif=orientation(6), quality=100, subsampling=0), ROTATED),
    "mirrored PNG": (colour(exif=orientation(2)), COLOUR[:, ::-1]),
    "turned TIFF": (colour("TIFF", exif=orientation(6)), ROTATED),
    "turned 16 bits": (grey(pixels=SIXTEEN, exif=orientation(3)), three(GREY[::-1, ::-1])),
    "webp": (colour("WEBP", lossless=True), COLOUR),
    "bmp": (colour("BMP"), COLOUR),
    "gif": (saved(Image.fromarray(GREY).quantize(200), "GIF"), three(GREY)),
    "camera's JPEG with a preview": (
        colour("MPO", quality=100, subsampling=0, save_all=True, append_images=[Image.new("RGB", (6, 3))]),
        COLOUR,
    ),
}
REFUSED = {
    "12 bits in 16": (grey(pixels=GREY.astype(np.uint16) * 16), "16 bits.* 4096.*8 bits"),
    "8 bits in 16": (grey("TIFF", GREY.astype(np.uint16)), "16 bits.* 4096.*8 bits"),
    "12 bits in 16, colour": (png((COLOUR.astype(">u2") * 16).astype(">u2"), 2), "16 bits.* 4096.*8 bits"),
    "signed values": (grey("TIFF", tiffinfo={339: 2}), "signed.*8 bits"),
    "32 bits": (grey("TIFF", GREY.astype(np.int32)), "32 bits.*8 bits"),
    "floating point": (grey("TIFF", GREY / np.float32(255)), "32 bits.*8 bits"),
    "floating point map": (grey("PPM", GREY / np.float32(255)), "32 bits.*8 bits"),
    "transparent value of 16 bits": (keyed(16), "transparent.*8 bits"),
    "transparent value of 2 bits": (
        png(np.full((6, 3), 0x1B, np.uint8), 0, 2, chunk(b"tRNS", b"\0\3")),
        "transparent.*8 bits",
    ),
    "animated PNG": (animated("PNG"), "2 images"),
    "animated WebP": (animated("WEBP"), "2 images"),
    "animated GIF": (animated("GIF"), "2 images"),
    "pages": (animated("TIFF"), "2 images"),
    "empty": (b"", "no format"),
    "text": (b"<html>404</html>", "no format"),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "no format"),
    "damaged AVIF": (colour("AVIF")[:-100] + bytes(100), "cannot be read"),
}


@pytest.mark.parametrize("case", RIGHT)
def test_an_image_is_what_viewers_show(tmp_path, case):
    content, expected = RIGHT[case]
    (tmp_path / "x.png").write_bytes(content)  # the content counts, not the name
    image = pictures.rgb(tmp_path / "x.png")
    lossy = ("JPEG", "YCbCr", "CMYK")
    assert image.mode == "RGB"
    found = np.asarray(image).astype(int)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=4 if any(name in case for name in lossy) else 0)


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_told_is_refused_by_name(tmp_path, case):
    content, words = REFUSED[case]
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(UserError, match=rf"x\.png: .*{words}.*\.$") as refusal:
        pictures.rgb(tmp_path / "x.png")
    assert "\n" not in str(refusal.value)


def test_an_image_larger_than_memory_is_named_and_not_called_damaged(tmp_path, monkeypatch):
    (tmp_path / "x.png").write_bytes(colour())

    def fail(_image):
        raise MemoryError

    monkeypatch.setattr(pictures, "_converted", fail)
    with pytest.raises(MayBeWhole, match=r"x\.png: does not fit into the free memory"):
        pictures.rgb(tmp_path / "x.png")


@pytest.mark.filterwarnings("error")
def test_nothing_is_said_beside_the_sentence(tmp_path, monkeypatch):
    """Pillow warns of images that are larger than this number of pixels."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    (tmp_path / "x.png").write_bytes(colour())
    assert pictures.rgb(tmp_path / "x.png").size == (12, 6)
    (tmp_path / "x.png").write_bytes(colour()[:-40])
    with pytest.raises(UserError, match=r"x\.png: "):
        pictures.rgb(tmp_path / "x.png")


def test_what_is_no_file_is_named(tmp_path):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "link.png").symlink_to(tmp_path / "none")
    (tmp_path / "two\nlines.png").write_bytes(b"")
    for name in ("folder.png", "link.png", "none.png", r"two\\nlines.png"):
        with pytest.raises(UserError, match=rf"{name}'?: cannot be read") as refusal:
            pictures.rgb(tmp_path / name.replace(r"\\n", "\n"))
        assert "\n" not in str(refusal.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads all files")
def test_a_file_without_permission_is_named(tmp_path):
    (tmp_path / "x.png").write_bytes(colour())
    (tmp_path / "x.png").chmod(0)
    with pytest.raises(UserError, match=r"x\.png: .*[Pp]ermission"):
        pictures.rgb(tmp_path / "x.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "PPM", "GIF", "AVIF"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Truncated File Read")
def test_a_cut_file_is_refused_or_whole(tmp_path, kind):
    content = colour(kind)
    (tmp_path / "whole").write_bytes(content)
    whole = np.asarray(pictures.rgb(tmp_path / "whole"))
    refused = 0
    for length in range(len(content)):
        (tmp_path / "cut").write_bytes(content[:length])
        try:
            found = np.asarray(pictures.rgb(tmp_path / "cut"))
        except UserError:
            refused += 1
        else:
            np.testing.assert_array_equal(found, whole)
    assert refused > len(content) / 2


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("case", ["12 bits in 16", "damaged AVIF"])
def test_streamed_images_are_refused_alike_in_any_process(tmp_path, case, workers):
    (tmp_path / "good.png").write_bytes(colour())
    (tmp_path / "bad.png").write_bytes(REFUSED[case][0])
    images = streaming.ImageFiles(tmp_path, ["good.png", "bad.png"], 8, workers, torch.device("cpu"))
    (batch,) = images.plain_batches([torch.tensor([0, 0])])
    assert batch.shape == (2, 3, 8, 8)
    with pytest.raises(UserError, match=rf"^{tmp_path}/bad\.png: .*{REFUSED[case][1]}") as refusal:
        list(images.plain_batches([torch.tensor([0]), torch.tensor([0, 1])]))
    assert "\n" not in str(refusal.value)


def test_streamed_images_are_decoded_as_loaded_ones(tmp_path):
    (tmp_path / "x.png").write_bytes(RIGHT["transparent"][0])
    images = streaming.ImageFiles(tmp_path, ["x.png"], 6, 0, torch.device("cpu"))
    # The central crop is half green and half white; red, the hidden colour, would be elsewhere.
    assert set(np.unique(images[0][1])) == {255}
    assert images[0][0, :, 0].max() == 0
    assert images[0][2, :, -1].min() == 255
