"""The reference: the config's JSON Schema, a page of its keys and all figures, and a page of all measures.

They are made from study/config.py, paper.py and the records in measures/kinds/.

Example (from the folder of the workflow):
  PYTHONPATH=scripts python -m widedeep.study.reference
"""

import importlib
import json
from pathlib import Path

from widedeep.measures import kinds
from widedeep.paper import FIGURES
from widedeep.study.config import Study
from widedeep.study.drawings import DRAWINGS

SCHEMA, PAGE = Path("workflow/schemas/config.schema.json"), Path("docs/reference/config.md")
MEASURES = Path("docs/reference/measures.md")
_COMMAND = "make reference"
_INTRODUCTION = f"""# Config

<!-- Made by `{_COMMAND}` from scripts/widedeep/study/config.py; edit that file instead. -->

A study is one YAML file; everything that it makes lies under `results/STUDY/`. The file is complete by itself: nothing
is merged into it. Unknown keys and values out of bounds are refused, and so are networks in figures that the grid
lacks. Check a file with

    python scripts/check_config.py config/mine.yaml

[`{SCHEMA}`](../../{SCHEMA}) holds the same as JSON Schema, for editors: put
`# yaml-language-server: $schema=../{SCHEMA}` into the first line of a file in `config/`.
"""
_FIGURES = """## Figures and tables

The figures and tables of the paper, the rule of the workflow that draws each, and the key under `figures` that asks
for it. Appendix B is drawn for every study.

| id | paper | shows | rule | asked for by |
|---|---|---|---|---|
"""
_MEASURES = f"""# Measures of similarity

<!-- Made by `{_COMMAND}` from scripts/widedeep/measures/kinds/; edit the files there instead. -->

Each measure compares two layers by the Gram matrices of their features on minibatches of n examples: X and Y are the
features, centred on the minibatch, K = XX' and L = YY'. The first three are computed for all networks and pairs of a
study. The others are computed within the networks of figure 1 if the config's list `measures` names them, and drawn as
figure `fig1-measures`; for single dumps there is

    python scripts/compute_measure.py results/one/resnet14/activations.h5 --measure rsa_spearman --out rsa_spearman.h5

A ratio of means is made of the means over minibatches of each product of K and L in the formula; a mean is that of the
values of single minibatches, which depend on n. Features may change by a `shift` (a constant for each feature), a
`scale` (one factor for all features) or a `rotation` without changing the value; no measure is unchanged by every
invertible linear map. Measures with a decomposition for each pair of layers compare the outputs of residual blocks, and
the layers outside blocks.

"""
_COLUMNS = (
    "measure",
    "formula",
    "source",
    "unchanged by",
    "minibatches",
    "cost of a layer",
    "cost of a pair",
    "NaN for a layer that is",
)
# What JSON Schema calls bounds.
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minItems": "{} or more items",
    "uniqueItems": "each once",
    "pattern": "matches `{}`",
    "maxLength": "at most {} characters",
}


def contents():
    """dict from the path of each generated file to its text."""
    schema = Study.model_json_schema()
    schema_text = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    return {SCHEMA: schema_text, PAGE: page(schema), MEASURES: page_of_measures()}


def page(schema):
    """The page of all keys and figures, as Markdown.

    Args:
        schema: the JSON Schema of the config.
    """
    parts = [_INTRODUCTION]
    for places, section in _sections(schema):
        parts.append(f"## {_heading(places)}\n\n{section['description']}\n\n{_table(section, schema['$defs'])}")
    rows = (
        [figure.id, figure.section, figure.title, f"`{figure.rule}`", _asking(figure)] for figure in FIGURES.values()
    )
    return "\n".join([*parts, _FIGURES + "".join(map(_row, rows))])


def page_of_measures():
    """The page of all measures of similarity, as Markdown: a table, and the text of each measure's file."""
    rows, texts = [_row(_COLUMNS), _row(["---"] * len(_COLUMNS))], []
    for name in (*kinds.OF_FIGURES, *kinds.further()):
        measure, text = kinds.named(name), importlib.import_module(f"{kinds.__name__}.{name}").__doc__
        invariances = ", ".join(sorted(measure.invariances))
        together = "ratio of means" if measure.finish else "mean"
        costs = [measure.layer_cost, measure.pair_cost]
        cells = [f"`{name}`", measure.formula, measure.source, invariances, together, *costs, measure.undefined]
        rows.append(_row(cells))
        texts.append(f"\n## {measure.title} (`{name}`)\n\n{text.strip()}\n")
    return _MEASURES + "".join(rows + texts)


def _sections(schema):
    """Pairs (places, schema), one for the config itself and one for each kind of section.

    The places are the dotted keys of all sections of that kind.
    """
    waiting, found = [("", schema)], {}
    for place, section in waiting:  # which grows meanwhile
        places, _ = found.setdefault(section["title"], ([], section))
        places.append(place)
        if len(places) > 1:  # its keys are known
            continue
        for key, value in section["properties"].items():
            names = filter(None, map(_referred, _parts(value)))
            waiting += [(f"{place}.{key}".strip("."), schema["$defs"][name]) for name in names]
    return found.values()


def _parts(schema):
    """A key's schema without null, and those of its items."""
    parts = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    return [*parts, *(part["items"] for part in parts if "items" in part)]


def _referred(schema):
    return schema.get("$ref", "").rpartition("/")[2]


def _heading(places):
    if places == [""]:
        return "Top level"
    # In a figure the last key tells it, in whichever figure it stands.
    names = [place.rpartition(".")[2] if place.count(".") > 1 else place for place in places]
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))


def _table(section, defined):
    """The keys of a section as a Markdown table.

    Args:
        section: its schema.
        defined: dict from the names of other sections to their schemas.
    """
    lines = ["| key | value | default | |\n|---|---|---|---|\n"]
    for key, schema in section["properties"].items():
        default = "required" if key in section.get("required", []) else _default(schema.get("default"))
        described = {**defined.get(_referred(schema), {}), **schema}["description"]
        lines.append(_row([f"`{key}`", _value(schema), default, described]))
    return "".join(lines)


def _row(cells):
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _default(value):
    return "" if value is None or isinstance(value, dict) else f"`{json.dumps(value)}`"


def _value(schema):
    """What a key takes: `list of integer, at least 1, each once`."""
    parts = _parts(schema)
    bounds = [
        words.format(f"{part[key]:,}" if type(part[key]) is int else part[key])
        for part in reversed(parts)
        for key, words in _BOUNDS.items()
        if key in part
    ]
    return ", ".join([" of ".join(map(_kind, parts)), *bounds])


def _kind(schema):
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if _referred(schema):
        return "section"
    return {"array": "list", "boolean": "true or false"}.get(schema["type"], schema["type"])


def _asking(figure):
    drawing = DRAWINGS[figure.rule]
    asking = [f"`figures.{drawing.key}`"] * bool(drawing.key) + [f"`{drawing.also}`"] * bool(drawing.also)
    return " and ".join(asking) or "always"


def main():
    for path, text in contents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


if __name__ == "__main__":
    main()
