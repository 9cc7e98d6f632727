"""The explorer's page: the HTML, styles and scripts in the folder `parts`, with the study's data as JSON.

Matrices are packed: 16-bit codes between the smallest and the largest value, compressed, in base64. The page unpacks a
matrix when it is shown.
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
# In the order in which the page runs them.
SCRIPTS = (
    "support.js",
    "data.js",
    "state.js",
    "block.js",
    "figure.js",
    "curves.js",
    "page.js",
    "cursor.js",
    "exports.js",
    "controls.js",
)
# Most bytes of the whole page, so that it can be mailed.
MOST_BYTES = 20_000_000
# Codes of values go from 0 to LARGEST; UNDEFINED stands for NaN.
LARGEST, UNDEFINED = 65534, 65535
# Perceptually uniform and readable for the colour-blind. The first one is the default, as in the figures.
COLOUR_MAPS = ("magma", "viridis", "cividis")


def packed(values):
    """Pack a matrix for the page.

    Args:
        values: (rows, columns), NaN where undefined. If it is symmetric, only the upper triangle with the diagonal is
            stored.

    Returns:
        dict with rows, columns, symmetric, low, step and data; a value is low + step * code, with an error of at most
        half a step
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
    """Compress bytes with gzip and encode them in base64; the same bytes always give the same text."""
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def numbers(values):
    """Round floats to four digits, a list; None for NaN and infinity."""
    return [None if not math.isfinite(value) else round(float(value), 4) for value in values]


def first_that_fit(records, room):
    """Take the first records whose JSON fits together into `room` bytes.

    Args:
        records: iterable of JSON values; nothing after the first one that does not fit is read.
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
    """Bytes of a record in the page's JSON, including the separator."""
    return len(as_json(record)) + 2


def as_json(value):
    """JSON text in which no HTML parser finds the end of a script."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def page(study, library):
    """Make the text of the HTML file.

    Args:
        study: contents of the page, a dict of JSON (contents.py).
        library: JavaScript of the plotting library, plotly.

    Returns:
        str
    """
    scripts = [(PARTS / name).read_text() for name in SCRIPTS]
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_source, [*scripts, library]))}",
            # plotly adds styles to the page.
            "style-src 'unsafe-inline'",
            # Pictures to export are made in memory.
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
    # In one pass, so that inserted text is never searched for {{...}}.
    first, *pieces = (PARTS / "page.html").read_text().split("{{")
    return first + "".join(parts[name] + rest for name, _, rest in (piece.partition("}}") for piece in pieces))


def _source(script):
    """The source expression of a script in a content security policy: the hash of its text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
