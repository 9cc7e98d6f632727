"""The columns of a study's CSV tables, and checks of tables, pages and figures."""

import io
from pathlib import Path

from widedeep.formats import foreign
from widedeep.paper import FIGURES
from widedeep.runtime import files
from widedeep.runtime.errors import UserError, first_line, shortened

# What is averaged over the pairs of two configurations.
MEANS_OF_PAIRS = ("equal_depth", "best_inside", "best_outside")
# The columns of each table. They hold numbers; with * texts, with ? numbers or nothing, with ! True and False.
COLUMNS = {
    "history.csv": "epoch learning_rate train_loss train_accuracy test_loss? test_accuracy?",
    "probes.csv": "layer* kind* stage block features train_accuracy test_accuracy test_accuracy_at_half?",
    "deletion.csv": "deletion* stage block deleted accuracy",
    "summary.csv": "model* family* depth width fraction seed test_accuracy train_accuracy parameters layers "
    "block_start? block_stop? block_size? contrast? contrast_without_first_component? share_inside? share_outside? "
    "cosine_inside? cosine_across? largest_first_component_share? components_not_converged "
    "similar_range_0.8 similar_range_0.9 similar_range_0.95",
    "pairs.csv": "first* second* contrast_first? contrast_second? equal_depth? best_inside? best_outside?",
    "pairs_of_configurations.csv": "first* second* pairs "
    + " ".join(f"{name}? {name}_low? {name}_high?" for name in MEANS_OF_PAIRS),
    "findings.csv": "id* result* claim* number* interval* smallest_effect* verdict* why*",
    "provenance.csv": "model* seed commit* torch* device* host* started* seconds attempts dump_seconds? test_accuracy",
    "fig6.csv": "wide* deep* wide_seeds deep_seeds wide_accuracy deep_accuracy accuracy_low? accuracy_high? "
    "seeds_a_set difference control observed expected p splits each_way power_examples examples_needed? "
    "classes classes_tested classes_that_differ p_classes power_classes points_needed?",
    "G-pairs.csv": "first* second* configuration_first* configuration_second* agreement? kappa? kappa_largest? "
    "kappa_errors?",
    **{f"{figure.id}.csv": figure.columns for figure in FIGURES.values()},
}
_REMEDY = "make it again"


def columns(name):
    """Return the names of the columns of a table in COLUMNS."""
    return [word.rstrip("*?!") for word in COLUMNS[name].split()]


def read(path, name=None):
    """Read a table as a pandas.DataFrame, and check all of it.

    Args:
        path: of the file.
        name: key of COLUMNS; None takes the name of the file.

    Raises:
        UserError: the file is missing, cut off, has other columns, or a cell holds no finite number where one must be.
    """
    import numpy as np
    import pandas as pd

    _text(path)
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        if not isinstance(table.index, pd.RangeIndex):
            raise ValueError("its lines have more cells than its first one")
    except ValueError as error:  # of pandas' parser too
        raise UserError(f"{path}: is not a table ({first_line(error)}); {_REMEDY}.") from error
    kinds = {word.rstrip("*?!"): word[-1] for word in COLUMNS[name or Path(path).name].split()}
    if [*table.columns] != [*kinds]:
        differing = next(iter(sorted({*table.columns} ^ {*kinds})), "another order")
        expected = name or Path(path).name
        raise UserError(
            f"{path}: has other columns than a {expected} of this version ({first_line(differing)}); give such a "
            f"table, or {_REMEDY}."
        )
    for name, kind in kinds.items():
        if kind == "*":
            continue
        if kind == "!":
            table[name] = _truths(path, name, table[name])
            continue
        numbers = pd.to_numeric(table[name], errors="coerce")
        unknown = table[name].isin(["", "nan"]) & (kind == "?")
        wrong = np.flatnonzero(~np.isfinite(numbers) & ~unknown)
        if len(wrong):
            found = shortened(table[name][wrong[0]])
            raise UserError(
                f"{path}: holds '{found}' in column {name}, line {wrong[0] + 2}, where a finite number is expected; "
                f"{_REMEDY}."
            )
        table[name] = numbers
    return table


def _truths(path, name, words):
    """Return a column of `True` and `False` as bool."""
    for line, word in enumerate(words, start=2):
        if word not in ("True", "False"):
            raise UserError(
                f"{path}: holds '{shortened(word)}' in column {name}, line {line}, where True or False is "
                f"expected; {_REMEDY}."
            )
    return words == "True"


def check(path):
    """Refuse a table, page or figure that is missing, cut off or damaged, as far as its format shows this.

    Args:
        path: of a .csv, .md, .html, .pdf or .png.

    Raises:
        UserError: the file is refused.
    """
    {".csv": read, ".pdf": _check_pdf, ".png": _check_png, ".md": _text, ".html": _text}[Path(path).suffix](path)


def _text(path):
    """Return the text of a file, which must end with a newline, as all files of the workflow do."""
    try:
        text = _content(path).decode()
    except UnicodeDecodeError as error:
        foreign.check(path, f"a {Path(path).suffix} file", is_text=True)
        raise UserError(f"{path}: cannot be read as text ({error}); {_REMEDY}.") from error
    if not text.endswith("\n") or "\0" in text:
        raise UserError(f"{path}: is empty, cut off, or not a text; {_REMEDY}.")
    return text


def _content(path):
    with files.reading(path, _REMEDY) as file:
        return file.read()


def _check_pdf(path):
    content = _content(path)
    if not content.startswith(b"%PDF-"):
        foreign.check(path, "a PDF")
    if not content.startswith(b"%PDF-") or not content.rstrip().endswith(b"%%EOF"):
        raise UserError(f"{path}: is not a complete PDF; {_REMEDY}.")


def _check_png(path):
    from PIL import Image

    content = io.BytesIO(_content(path))
    try:
        with Image.open(content, formats=["PNG"]) as image:
            image.verify()  # compares the checksum of each chunk
    except (OSError, SyntaxError, ValueError) as error:
        foreign.check(path, "an image (PNG)")
        raise UserError(f"{path}: is not a complete PNG ({first_line(error)}); {_REMEDY}.") from error
