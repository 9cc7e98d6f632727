"""Decodes an image file to 8-bit RGB as viewers show it, or refuses it in one sentence that names the file."""

import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from widedeep.runtime import files
from widedeep.runtime.errors import MayBeWhole, UserError, named, shortened

# Formats by content, whatever the file is called. Pillow reads more; EPS among them starts another program.
FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF", "AVIF")
# The colour below transparent pixels.
BACKGROUND = (255, 255, 255, 255)
_CONVERT = "convert it to 8 bits a channel"


def rgb(path):
    """Decode an image file.

    The EXIF orientation is applied, transparency shows BACKGROUND, and 16 bits become 8: grey values v as
    round(v / 257), colours by their upper 8 bits. Colour profiles are not applied.

    Args:
        path: of the image.

    Returns:
        PIL.Image.Image of mode RGB

    Raises:
        UserError: the file cannot be read, is no image of FORMATS, is damaged, holds several images, or its values have
            no agreed range, as those of 32 bits.
        MayBeWhole: it does not fit into the free memory.
    """
    try:
        # Pillow warns of oddities beside the image, as its metadata, and of what it refuses afterwards.
        with warnings.catch_warnings(action="ignore"), Image.open(path, formats=FORMATS) as image:
            return _converted(image)
    except MemoryError:
        raise MayBeWhole(
            f"{named(path)}: does not fit into the free memory; run again where more is free, or give a smaller image."
        ) from None
    except UserError as error:
        raise UserError(f"{named(path)}: {error}") from None
    except Exception as error:  # in damaged files Pillow meets IndexError, struct.error, RuntimeError and more
        if isinstance(error, OSError):
            files.check_was_read(path, error)
        raise UserError(
            f"{named(path)}: cannot be read as an image ({_reason(error)}); replace or remove it."
        ) from error


def _reason(error):
    if isinstance(error, UnidentifiedImageError):
        return "its content is of no format that is read"
    return getattr(error, "strerror", None) or shortened(str(error)) or type(error).__name__


def _converted(image):
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # a JPEG whose further images are a camera's previews
        raise UserError(f"holds {frames} images, as an animation does, and one is expected; save one of them.")
    raw_mode = _raw_mode(image)
    has_16_bits = ";16" in raw_mode and image.format in ("PNG", "TIFF")
    if "transparency" in image.info and (has_16_bits or raw_mode in ("L;2", "L;4")):
        # Pillow compares the transparent value with values that it has scaled already.
        raise UserError(f"has a transparent colour and is not of 8 bits a channel; {_CONVERT}.")
    if image.format == "TIFF" and image.mode == "L" and 2 in image.tag_v2.get(339, ()):  # SampleFormat
        raise UserError(f"has signed values, for which no range is agreed; {_CONVERT}.")
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "F" or (upright.mode == "I" and image.format != "PPM"):
        raise UserError(f"has values of 32 bits, for which no range is agreed; {_CONVERT}.")
    if has_16_bits and upright.mode[0] != "I":
        _check_range(256 * int(np.asarray(upright.convert("RGB")).max(initial=0)))
    if upright.mode[0] == "I":
        return _from_16_bits(upright, image).convert("RGB")
    if upright.has_transparency_data:
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, BACKGROUND), upright)
    return upright.convert("RGB")


def _raw_mode(image):
    """Return Pillow's name of how pixels are stored, as `RGB;16B`; empty where it tells none."""
    arguments = image.tile[0].args if image.tile else ""
    return str(arguments[0]) if isinstance(arguments, tuple) and arguments else str(arguments or "")


def _from_16_bits(upright, image):
    """Return an 8-bit grey image of a grey image with values up to 65535.

    Args:
        upright: the image to convert.
        image: the image as it was opened.
    """
    values = np.asarray(upright).astype(np.int64)
    if image.format != "PPM":  # whose files tell the range, by which Pillow has scaled
        _check_range(values.max(initial=0))
    if image.format == "TIFF" and image.tag_v2.get(262) == 0:  # PhotometricInterpretation: white is zero
        values = 65535 - values
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _check_range(largest):
    """Refuse 16-bit values that are all below 4096: cameras of 12 bits and masks of 8 bits are stored so."""
    if largest < 4096:
        raise UserError(
            f"has 16 bits a channel, and its largest value is below 4096, so it is black or of fewer bits; {_CONVERT}."
        )
