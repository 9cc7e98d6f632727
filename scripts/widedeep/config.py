"""The config of a study: checked, completed with its defaults, and turned into the networks and figures it asks for."""

import copy
import itertools
import math
from pathlib import Path

import jsonschema
import yaml

from widedeep import families, seeds
from widedeep.errors import UserError
from widedeep.names import Model

# Examples for training and for testing, where they are known before the data are there.
EXAMPLES = {
    "digits": (1437, 360),
    "cifar10": (50000, 10000),
    "cifar100": (50000, 10000),
    "fashion-mnist": (60000, 10000),
}
# Side of the images in pixels.
SIDES = {"digits": 8, "cifar10": 32, "cifar100": 32, "fashion-mnist": 28}
# What their official archive is called, where it is one file.
ARCHIVES = {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}
# Data sets of the user's own: scripts/datasets/NAME.py with a function load().
DATASETS = Path(__file__).parents[1] / "datasets"
SCHEMA = Path(__file__).parents[2] / "workflow/schemas/config.schema.yaml"
# Entries of a config, and networks of its grid: a few lines of YAML with aliases or lists can stand for more than any
# memory holds.
LARGEST = 100_000
SOURCES = {
    "digits": ("embedded",),
    "cifar10": ("official", "npm"),
    "cifar100": ("official",),
    "fashion-mnist": ("official", "debian"),
}
# Figures of a row of depths and a row of widths, and the family that they show unless the config names another.
FIGURES_OF_ROWS = {"fig1": "resnet", "fig2": "resnet", "C": "plain"}
FIGURES_OF_MODELS = ("A", "fig1-seeds", "fig3", "fig4", "fig5", "G")


def read(path):
    """The config in a file, checked and completed as the workflow does it (workflow/rules/common.smk).

    Raises:
        UserError: the file cannot be read, is not YAML, or is not the config of a study.
    """
    try:
        content = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text"
        raise UserError(f"{path}: cannot be read ({reason}); give an existing config.") from error
    except (yaml.YAMLError, ValueError, AttributeError, RecursionError) as error:  # as of a date in no calendar
        raise UserError(f"{path}: is not YAML ({_short(str(error))}); see config/demo.yaml.") from error
    if _is_larger(content, LARGEST):
        raise UserError(f"{path}: has more than {LARGEST} entries; no study has, see config/demo.yaml.")
    try:
        return checked(content, yaml.safe_load(SCHEMA.read_text()))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except ValueError as error:  # a number of more digits than Python writes
        raise UserError(f"{path}: holds what cannot be shown ({_short(str(error))}); see config/demo.yaml.") from error


def _is_larger(content, most):
    """Whether a value of YAML has more than so many entries, each alias written out; it may hold itself."""
    left, count = [content], 0
    while left and count <= most:
        value = left.pop()
        if isinstance(value, dict):
            left += [*value, *value.values()]
        elif isinstance(value, list | tuple | set):
            left += value
        count += 1
    return count + len(left) > most


def checked(config, schema):
    """A copy of the config with all defaults filled in.

    Args:
        config: dict as read from YAML.
        schema: dict, the JSON schema.

    Raises:
        UserError: one sentence that names the first key that is unknown, missing or impossible.
    """
    config = copy.deepcopy(config)
    errors = sorted(_Validator(schema).iter_errors(config), key=lambda error: (len(error.absolute_path), error.message))
    if errors:
        raise UserError(_sentence(errors[0]))
    check_dataset(config["dataset"])
    _check_grid(config)
    _check_training(config)
    _check_figures(config)
    check_examples(config, *EXAMPLES.get(config["dataset"]["name"], (math.inf, math.inf)))
    return config


def check_examples(config, train, test):
    """Refuse minibatches that the images of a checked config's data set cannot fill.

    Args:
        train, test: numbers of images of the splits; infinite where they are not known.

    Raises:
        UserError: one sentence that names the key.
    """
    for key, model, batch_size in _training_batches(config):
        if batch_size > _examples_of(model, train):
            raise UserError(
                f"config key {key} is {batch_size}, more than the {_examples_of(model, train)} training examples of "
                f"{model}; use a smaller batch or a larger fraction."
            )
    section, name = config["dumps"], config["dataset"]["name"]
    examples = min(test, section.get("examples", math.inf))
    if section["batch_size"] > examples:
        raise UserError(
            f"config key dumps.batch_size is {section['batch_size']}, more than the {examples} test examples of "
            f"{name}; use a smaller batch."
        )
    if "A" in config["figures"]:
        section = config["figures"]["A"]
        examples = min(test, section["examples"])
        if max(section["batch_sizes"]) > examples:
            raise UserError(
                f"config key figures.A.batch_sizes: {max(section['batch_sizes'])} is more than the {examples} examples "
                "that are gone through; use smaller ones."
            )


def needed_examples(config):
    """(training, test) images that the data set of a checked config must have for check_examples to accept it."""
    train = 1
    for _, model, batch_size in _training_batches(config):
        while _examples_of(model, train) < batch_size:
            train = max(train + 1, math.floor((batch_size - 0.5) / model.fraction))
    of_figure_a = config["figures"]["A"]["batch_sizes"] if "A" in config["figures"] else []
    return train, max([config["dumps"]["batch_size"], *of_figure_a])


def _training_batches(config):
    """(key, model, images a step) of the trainings and of the probes of a checked config."""
    probed = models_of(config, "fig4") if "fig4" in config["figures"] else []
    return [
        *(("training.batch_size", model, config["training"]["batch_size"]) for model in grid(config)),
        *(("probes.batch_size", model, config["probes"]["batch_size"]) for model in probed),
    ]


def _examples_of(model, train):
    """How many of so many training images a model sees."""
    return round(model.fraction * train) if train < math.inf else train


def data_path(config):
    """Where the workflow makes the data set of a checked config: `data/flowers-32px/dataset.h5`."""
    dataset = config["dataset"]
    suffix = f"-{dataset['image_size']}px" if dataset.get("image_size") else ""
    return Path("data", dataset["name"] + suffix, "dataset.h5")


def grid(config):
    """The networks of a checked config.

    Returns:
        dict from names.Model to its sorted seeds, in the order of the config.
    """
    networks = {}
    for entry in config["grid"]:
        for fraction, depth, width in itertools.product(entry["fractions"], entry["depths"], entry["widths"]):
            model = Model(config["dataset"]["name"], entry["family"], depth, width, fraction)
            networks.setdefault(model, set()).update(entry["seeds"])
    return {model: sorted(seeds) for model, seeds in networks.items()}


def rows_of(config, figure):
    """The rows of one of FIGURES_OF_ROWS: depths and widths one below the other, or a row of both a share of the data.

    Returns:
        dict from the row's name to a list of Models, each once
    """
    section = config["figures"][figure]
    rows = {key: section[key] for key in ("depth_row", "width_row") if key in section}
    if "fractions" not in section:
        return {key: _models_of_row(config, figure, row, row["fraction"]) for key, row in rows.items()}
    return {
        f"fraction {fraction:g}": list(
            dict.fromkeys(model for row in rows.values() for model in _models_of_row(config, figure, row, fraction))
        )
        for fraction in section["fractions"]
    }


def _models_of_row(config, figure, row, fraction):
    sizes = itertools.product(row.get("depths", [row.get("depth")]), row.get("widths", [row.get("width")]))
    family = config["figures"][figure].get("family", FIGURES_OF_ROWS[figure])
    name = config["dataset"]["name"]
    return [Model(name, family, depth, width, fraction) for depth, width in sizes]


def models_of(config, figure):
    """The Models that a figure with a list `models`, or with one `model`, shows, in its order."""
    section = config["figures"][figure]
    return [_model(config, entry) for entry in section.get("models") or [section["model"]]]


def compared_in_figure_6(config):
    """The Models of figure 6: the wide and the deep one that the config names, or all among which a pair is chosen."""
    section = config["figures"]["fig6"]
    if "wide" in section:
        return [_model(config, section["wide"]), _model(config, section["deep"])]
    return [model for model, seeds in grid(config).items() if model.family != "plain" and len(seeds) > 1]


def _model(config, entry):
    return Model(config["dataset"]["name"], entry["family"], entry["depth"], entry["width"], entry["fraction"])


def seed_pairs(first, second=None, most=seeds.MOST_PAIRS):
    """Pairs of seeds of two configurations, or of one with itself, in the order of seeds.first_pairs.

    The authors draw at most 20 pairs, and we take the first 20. Within one configuration no network is paired with
    itself.

    Args:
        first, second: lists of seeds; second is None for pairs within one configuration.
        most: how many pairs at most.

    Returns:
        list of (seed of first, seed of second)
    """
    pairs = itertools.combinations(sorted(first), 2) if second is None else itertools.product(first, second)
    return seeds.first_pairs(pairs, most)


def check_dataset(dataset):
    """Refuse a section `dataset` whose data set does not have such a source.

    Raises:
        UserError: one sentence that names the key.
    """
    name, source = dataset["name"], dataset.get("source")
    if dataset.get("workers") and not dataset.get("stream"):
        raise UserError("config key dataset.workers is for images that are streamed; set dataset.stream, or remove it.")
    if has_file(name):
        for key in ("source", "folder", "archive", "mirrors", "image_size", "stream"):
            if dataset.get(key):
                raise UserError(f"config key dataset.{key}: {name} comes from {DATASETS / name}.py alone, remove it.")
        return
    if name not in SOURCES:
        if "folder" not in dataset or source not in (None, "folder"):
            known = ", ".join(SOURCES)
            raise UserError(
                f"config key dataset.name '{name}' is not one of {known}; give dataset.folder for your own images, "
                f"or write {DATASETS / name}.py."
            )
        if "image_size" not in dataset:
            raise UserError(
                "config key dataset.image_size is missing; give the side in pixels to which images are resized."
            )
        for key in ("archive", "mirrors"):
            if dataset.get(key):
                raise UserError(f"config key dataset.{key}: {name} comes from dataset.folder alone, remove it.")
        return
    for key in ("folder", "stream"):
        if dataset.get(key):
            raise UserError(f"config key dataset.{key} is for images of your own; {name} does not take it, remove it.")
    size, side = dataset.get("image_size"), SIDES[name]
    if size is not None and (size >= side or side % size):
        raise UserError(
            f"config key dataset.image_size is {size}; it must divide the {side} pixels of {name}, or be left out."
        )
    if source is not None and source not in SOURCES[name]:
        raise UserError(f"config key dataset.source is {source}; {name} has {', '.join(SOURCES[name])}.")
    if source not in (None, "official") or "official" not in SOURCES[name]:
        for key in ("archive", "mirrors"):
            if dataset.get(key):
                raise UserError(
                    f"config key dataset.{key} is for the source official; remove it, or choose that source."
                )
    if dataset.get("archive") and dataset.get("mirrors"):
        raise UserError("config keys dataset.archive and dataset.mirrors exclude each other; remove one of them.")


def has_file(name):
    """Whether a data set is one of the user's own that a file of this name loads."""
    return name not in SOURCES and (DATASETS / f"{name}.py").exists()


def _fill_defaults(validate_properties):
    """Wrap jsonschema's check of `properties` so that absent keys take their defaults first."""

    def properties(validator, schemas, instance, schema):
        if isinstance(instance, dict):
            for key, subschema in schemas.items():
                if "default" in subschema:
                    instance.setdefault(key, copy.deepcopy(subschema["default"]))
        yield from validate_properties(validator, schemas, instance, schema)

    return properties


_Base = jsonschema.Draft202012Validator
_Validator = jsonschema.validators.extend(
    _Base,
    {"properties": _fill_defaults(_Base.VALIDATORS["properties"])},
    # YAML's numbers: 1.0 is no seed, true is no number, and neither are .nan and .inf.
    type_checker=_Base.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda _, value: type(value) is int,
            "number": lambda _, value: type(value) in (int, float) and abs(value) < math.inf,
        }
    ),
)


def _sentence(error):
    """One sentence for a jsonschema error: the key, what was found, what is expected."""
    key = _dotted(error.absolute_path)
    if error.validator == "additionalProperties":
        unknown = _short(sorted(map(str, set(error.instance) - set(error.schema["properties"])))[0])
        known = ", ".join(sorted(error.schema["properties"]))
        where = f"{key}.{unknown}" if key else unknown
        return f"config key {where} is unknown; the keys there are {known}."
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        where = f"{key}.{missing}" if key else missing
        description = error.schema["properties"][missing].get("description", "see the schema.")
        return f"config key {where} is missing; {description}"
    expected = {
        "type": lambda value: f"is not of type {value}",
        "enum": lambda value: f"is not one of {', '.join(map(str, value))}",
        "pattern": lambda value: f"does not match {value}",
        "minimum": lambda value: f"is less than {value}",
        "maximum": lambda value: f"is greater than {value}",
        "exclusiveMinimum": lambda value: f"is not greater than {value}",
        "exclusiveMaximum": lambda value: f"is not less than {value}",
        "maxLength": lambda value: f"is longer than {value} characters",
        "minItems": lambda value: f"has fewer than {value} item",
        "uniqueItems": lambda _: "holds an item twice",
        "dependentRequired": lambda needs: f"has {next(iter(needs))} without the other of {', '.join(needs)}",
        "anyOf": lambda ways: f"has none of {', '.join(way['required'][0] for way in ways)}",
    }[error.validator](error.validator_value)
    description = error.schema.get("description", "")
    return f"config key {key or 'at the top'} {expected}: {_short(repr(error.instance))}. {description}".strip()


def _short(text):
    """The text on one line, its end left out where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:200]}..."


def _dotted(path):
    """`grid[0].depths[2]` for a path of keys and positions."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _check_grid(config):
    lists = [[len(entry[key]) for key in ("depths", "widths", "fractions", "seeds")] for entry in config["grid"]]
    networks = sum(map(math.prod, lists))
    if networks > LARGEST:
        raise UserError(f"config key grid: asks for {networks} networks, more than {LARGEST}; shorten its lists.")
    for position, entry in enumerate(config["grid"]):
        try:
            key = "family"
            families.load(entry["family"])
            key = "depths"
            for depth in entry["depths"]:
                families.check_depth(entry["family"], depth)
        except UserError as error:
            raise UserError(f"config key grid[{position}].{key}: {error}") from None


def _check_training(config):
    name, training = config["dataset"]["name"], config["training"]
    if name == "digits" and training["flip"]:
        raise UserError("config key training.flip is true; a mirrored digit is another sign, set it to false.")
    if training["batch_size"] % training["gpus"]:
        raise UserError(
            f"config key training.gpus is {training['gpus']}, and training.batch_size {training['batch_size']} is no "
            "multiple of it; change one of them."
        )


def _check_figures(config):
    """Figures may only show networks of the grid, with the seeds that they need."""
    networks, figures = grid(config), config["figures"]
    shown = {
        f"{figure}.{row}": models
        for figure in FIGURES_OF_ROWS
        if figure in figures
        for row, models in rows_of(config, figure).items()
    }
    shown |= {f"{figure}.models": models_of(config, figure) for figure in FIGURES_OF_MODELS if figure in figures}
    if "fig6" in figures:
        shown["fig6"] = compared_in_figure_6(config)
    for key, models in shown.items():
        figure = key.split(".")[0]
        for model in models:
            _check_in_grid(f"figures.{key}", model, networks)
            seed = figures[figure].get("seed")
            if seed is not None and seed not in networks[model]:
                raise UserError(f"config key figures.{figure}.seed is {seed}; {model} has the seeds {networks[model]}.")
    if "fig6" in figures:
        _check_figure_6(config)
    if "fig5" in figures:
        for model in models_of(config, "fig5"):
            if len(networks[model]) < 2:
                raise UserError(f"config key figures.fig5.models: {model} has one seed, and pairs of seeds need two.")


def _check_figure_6(config):
    models, networks = compared_in_figure_6(config), grid(config)
    pairs = itertools.permutations(models, 2)
    if not any(a.width > b.width and a.depth < b.depth and a.fraction == b.fraction for a, b in pairs):
        raise UserError(
            "config key figures.fig6: needs two configurations with two seeds or more, on one share of the data, of "
            "which one is wider and the other deeper; add them to the grid, or remove fig6."
        )
    if max(len(networks[model]) for model in models) < 2:
        raise UserError(
            f"config key figures.fig6: {models[0]} and {models[1]} have one seed each, and the control needs two of "
            "one of them; add seeds."
        )


def _check_in_grid(key, model, networks):
    if model not in networks:
        raise UserError(f"config key {key}: {model} is not in the grid; add it there or remove it here.")
