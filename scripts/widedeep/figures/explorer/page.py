"""The explorer's page: HTML, styles and scripts of the folder `parts`, with the study's data as JSON.

Each matrix is packed apart and unpacked when it is shown: values in 16 bits between the smallest and the largest,
compressed, in base64.
"""

import base64
import gzip
import hashlib
import html
import json
import math
from pathlib import Path

import numpy as np

PARTS = Path(__file__).parent / "parts"
# In the order in which they run.
SCRIPTS = tuple(
    f"{name}.js" for name in ("support", "data", "state", "figure", "curves", "page", "cursor", "exports", "controls")
)
# Bytes of the whole page: it shall go by mail.
MOST_BYTES = 20_000_000
# Values are codes from 0 to LARGEST; what is undefined is UNDEFINED.
LARGEST, UNDEFINED = 65534, 65535
# Perceptually uniform, and readable for the colour-blind. The first is the default, as in the figures.
COLOUR_MAPS = ("magma", "viridis", "cividis")


def packed(values):
    """A matrix as the page reads it.

    Args:
        values: (rows, columns), NaN where undefined. Of a symmetric one the triangle from the diagonal up is kept.

    Returns:
        dict with rows, columns, symmetric, low, step and data; a value is low + step * code, half a step wrong at most
    """
    values = np.asarray(values, dtype=float)
    defined = np.isfinite(values)
    low, high = (float(values[defined].min()), float(values[defined].max())) if defined.any() else (0.0, 0.0)
    step = (high - low) / LARGEST
    codes = np.full(values.shape, UNDEFINED, dtype="<u2")
    codes[defined] = np.rint((values[defined] - low) / (step or 1.0))
    symmetric = values.shape[0] == values.shape[1] and bool((codes == codes.T).all())
    kept = codes[np.triu_indices(len(codes))] if symmetric else codes
    rows, columns = values.shape
    return {
        "rows": rows,
        "columns": columns,
        "symmetric": symmetric,
        "low": low,
        "step": step,
        "data": compressed(kept.tobytes()),
    }


def compressed(content):
    """Bytes as base64 of gzip, the same whenever they are made."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def numbers(values):
    """A list of floats with four digits; None for what is undefined."""
    return [None if not math.isfinite(value) else round(float(value), 4) for value in values]


def first_that_fit(records, room):
    """The first of some records whose JSON fits together.

    Args:
        records: iterable, read no further than they fit.
        room: bytes.

    Returns:
        (list of records, bytes left)
    """
    kept = []
    for record in records:
        size = size_of(record)
        if size > room:
            break
        kept.append(record)
        room -= size
    return kept, room


def size_of(record):
    """Bytes of a record in the page's JSON, with what separates it from the next one."""
    return len(as_json(record)) + 2


def as_json(value):
    """JSON that no HTML parser takes for the end of a script."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def page(study, library):
    """The HTML file.

    Args:
        study: what the page holds, a dict of JSON (contents.py).
        library: JavaScript of the plotting library.

    Returns:
        str
    """
    scripts = [(PARTS / name).read_text() for name in SCRIPTS]
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_source, [*scripts, library]))}",
            # The library writes the styles of its drawing into the page.
            "style-src 'unsafe-inline'",
            # Exported pictures are drawn in memory.
            "img-src data: blob:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    parts = {
        "policy": html.escape(policy, quote=True).replace("&#x27;", "'"),
        "title": html.escape(f"Explorer of {study['study']}"),
        "style": (PARTS / "page.css").read_text(),
        "data": as_json(study),
        "library": compressed(library.encode()),
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
    }
    # One pass: what is put in is never searched for further places.
    first, *pieces = (PARTS / "page.html").read_text().split("{{")
    return first + "".join(parts[name] + rest for name, _, rest in (piece.partition("}}") for piece in pieces))


def _source(script):
    """How a content security policy names a script that it lets run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
