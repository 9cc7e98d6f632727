"""A config from a file or from Snakemake, and what no single key of it can tell: whether all of it fits together."""

import math
from pathlib import Path

import yaml
from pydantic import ValidationError

from widedeep.data import catalogue
from widedeep.networks import families
from widedeep.runtime import options
from widedeep.runtime.errors import UserError, shortened
from widedeep.study.config import Dataset, Study
from widedeep.study.drawings import compared
from widedeep.study.sections import comparable

# Entries of a config, and networks of its grid: a few lines of YAML with aliases or lists can stand for more than any
# memory holds.
LARGEST = 100_000


def read(path):
    """The Study in a file.

    Raises:
        UserError: the file cannot be read, is not YAML, or is not the config of a study.
    """
    try:
        content = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text"
        raise UserError(f"{path}: cannot be read ({reason}); give an existing config.") from error
    except (yaml.YAMLError, ValueError, AttributeError, RecursionError) as error:  # as of a date in no calendar
        raise UserError(f"{path}: is not YAML ({shortened(str(error))}); see config/demo.yaml.") from error
    if _is_larger(content, LARGEST):
        raise UserError(f"{path}: has more than {LARGEST} entries; no study has, see config/demo.yaml.")
    try:
        return checked(content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except ValueError as error:  # a number of more digits than Python writes
        raise UserError(f"{path}: holds a value that cannot be shown ({shortened(str(error))}).") from error


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


def checked(content):
    """The Study of a config as read from YAML.

    Raises:
        UserError: one sentence that names the first key that is unknown, missing or impossible.
    """
    study = _parsed(Study, content)
    _check_dataset(study.dataset)
    _check_grid(study)
    _check_training(study)
    _check_figures(study)
    record = catalogue.WITH_SOURCES.get(study.dataset.name)
    check_examples(study, *((record.train_examples, record.test_examples) if record else (math.inf, math.inf)))
    return study


def checked_dataset(content):
    """The section `dataset` of a config alone; see `checked`."""
    section = _parsed(Dataset, content, "dataset")
    _check_dataset(section)
    return section


def _parsed(kind, content, *place):
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        errors = sorted(error.errors(), key=lambda one: (len(one["loc"]), one["msg"]))
        raise UserError(_sentence({**errors[0], "loc": (*place, *errors[0]["loc"])})) from None


def _sentence(error):
    """One sentence for one of pydantic's errors: the key, what is expected, what was found, and the key's description."""
    *parents, last = error["loc"] or ("",)
    section, description = _described(parents), _described(error["loc"])[1]
    if error["type"] == "extra_forbidden":
        known = ", ".join(sorted(section[0]))
        return f"config key {shortened(_dotted(error['loc']))} is unknown; the keys there are {known}."
    if error["type"] == "missing":
        return f"config key {_dotted(error['loc'])} is missing. {description}".strip()
    where = _dotted(error["loc"]) if last != "" else "at the top"
    return f"config key {where}: {options.sentence(error)}. {description}".strip()


def _described(loc):
    """(keys below a place in the config, its description); both empty where there is no such place."""
    kind, description = Study, ""
    for part in loc:
        if isinstance(part, int):
            continue
        known = {field.alias or name: field for name, field in getattr(kind, "model_fields", {}).items()}
        if part not in known:
            return [], ""
        kind, description = options.kind_of(known[part].annotation), known[part].description or ""
        description = description or (kind.__doc__ or "").partition("\n")[0]
    fields = getattr(kind, "model_fields", {})
    return [field.alias or name for name, field in fields.items()], description


def _dotted(path):
    """`grid[0].depths[2]` for a path of keys and positions."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _check_dataset(dataset):
    """Refuse a section `dataset` whose data set does not have such a source.

    Args:
        dataset: config.Dataset.

    Raises:
        UserError: one sentence that names the key.
    """
    name = dataset.name
    if dataset.workers and not dataset.stream:
        raise UserError("config key dataset.workers is for images that are streamed; set dataset.stream, or remove it.")
    if path := catalogue.own_file(name):
        _refuse(
            dataset,
            ("source", "folder", "archive", "mirrors", "image_size", "stream"),
            f"{name} comes from {path} alone, remove it",
        )
    elif name in catalogue.WITH_SOURCES:
        _check_known(dataset, catalogue.WITH_SOURCES[name])
    else:
        _check_folder(dataset)


def _check_folder(dataset):
    name = dataset.name
    if dataset.folder is None or dataset.source not in (None, "folder"):
        known = ", ".join(catalogue.WITH_SOURCES)
        raise UserError(
            f"config key dataset.name '{name}' is not one of {known}; give dataset.folder for your own images, "
            f"or write {catalogue.OWN_FILES / name}.py."
        )
    if dataset.image_size is None:
        raise UserError(
            "config key dataset.image_size is missing; give the side in pixels to which images are resized."
        )
    _refuse(dataset, ("archive", "mirrors"), f"{name} comes from dataset.folder alone, remove it")


def _check_known(dataset, record):
    name, size, source = dataset.name, dataset.image_size, dataset.source
    _refuse(dataset, ("folder", "stream"), f"it is for images of your own; {name} does not take it, remove it")
    if size is not None and (size >= record.side or record.side % size):
        raise UserError(
            f"config key dataset.image_size is {size}; it must divide the {record.side} pixels of {name}, or be left "
            "out."
        )
    if source is not None and source not in record.sources:
        raise UserError(f"config key dataset.source is {source}; {name} has {', '.join(record.sources)}.")
    if source not in (None, "official") or "official" not in record.sources:
        _refuse(dataset, ("archive", "mirrors"), "it is for the source official; remove it, or choose that source")
    if dataset.archive and dataset.mirrors:
        raise UserError("config keys dataset.archive and dataset.mirrors exclude each other; remove one of them.")


def _refuse(dataset, keys, why):
    for key in keys:
        if getattr(dataset, key):
            raise UserError(f"config key dataset.{key}: {why}.")


def check_examples(study, train, test):
    """Refuse minibatches that the images of a study's data set cannot fill.

    Args:
        train, test: numbers of images of the splits; infinite where they are not known.

    Raises:
        UserError: one sentence that names the key.
    """
    for key, configuration, batch_size in _training_batches(study):
        if batch_size > _examples_of(configuration, train):
            raise UserError(
                f"config key {key} is {batch_size}, more than the {_examples_of(configuration, train)} training "
                f"examples of {configuration}; use a smaller batch or a larger fraction."
            )
    examples = min(test, study.dumps.examples or math.inf)
    if study.dumps.batch_size > examples:
        raise UserError(
            f"config key dumps.batch_size is {study.dumps.batch_size}, more than the {examples} test examples of "
            f"{study.dataset.name}; use a smaller batch."
        )
    if "A" in study.sections:
        section = study.sections["A"]
        examples, largest = min(test, section.examples), max(section.batch_sizes)
        if largest > examples:
            raise UserError(
                f"config key figures.A.batch_sizes: {largest} is more than the {examples} examples that are gone "
                "through; use smaller ones."
            )


def needed_examples(study):
    """(training, test) images that the data set of a study must have for check_examples to accept it."""
    train = 1
    for _, configuration, batch_size in _training_batches(study):
        while _examples_of(configuration, train) < batch_size:
            train = max(train + 1, math.floor((batch_size - 0.5) / configuration.fraction))
    of_figure_a = study.sections["A"].batch_sizes if "A" in study.sections else []
    return train, max([study.dumps.batch_size, *of_figure_a])


def _training_batches(study):
    """(key, configuration, images a step) of the trainings and of the probes of a study."""
    probed = study.shown("fig4") if "fig4" in study.sections else []
    return [
        *(("training.batch_size", one, study.training.batch_size) for one in study.configurations),
        *(("probes.batch_size", one, study.probes.batch_size) for one in probed),
    ]


def _examples_of(configuration, train):
    """How many of so many training images a configuration sees."""
    return round(configuration.fraction * train) if train < math.inf else train


def _check_grid(study):
    networks = sum(
        math.prod(map(len, (entry.depths, entry.widths, entry.fractions, entry.seeds))) for entry in study.grid
    )
    if networks > LARGEST:
        raise UserError(f"config key grid: asks for {networks} networks, more than {LARGEST}; shorten its lists.")
    for position, entry in enumerate(study.grid):
        try:
            key = "family"
            families.load(entry.family)
            key = "depths"
            for depth in entry.depths:
                families.check_depth(entry.family, depth)
        except UserError as error:
            raise UserError(f"config key grid[{position}].{key}: {error}") from None


def _check_training(study):
    training, record = study.training, catalogue.KNOWN.get(study.dataset.name)
    if training.flip and record and not record.mirrored:
        raise UserError(
            f"config key training.flip is true; a mirrored image of {record.name} is of another class, set it to false."
        )
    if training.batch_size % training.gpus:
        raise UserError(
            f"config key training.gpus is {training.gpus}, and training.batch_size {training.batch_size} is no "
            "multiple of it; change one of them."
        )


def _check_figures(study):
    """Figures may only show networks of the grid, with the seeds that they need."""
    for key, section in study.sections.items():
        for part, shown in section.shown(study.dataset.name).items():
            where = f"figures.{key}.{part}".rstrip(".")
            for configuration in shown:
                _check_in_grid(where, configuration, study)
                seed = getattr(section, "seed", None)
                if seed is not None and seed not in study.configurations[configuration]:
                    raise UserError(
                        f"config key figures.{key}.seed is {seed}; {configuration} has the seeds "
                        f"{study.configurations[configuration]}."
                    )
    if "fig6" in study.sections:
        _check_figure_6(study)
    if "fig5" in study.sections:
        for configuration in study.shown("fig5"):
            if len(study.configurations[configuration]) < 2:
                raise UserError(
                    f"config key figures.fig5.models: {configuration} has one seed, and pairs of seeds need two."
                )


def _check_figure_6(study):
    configurations = compared(study)
    if not comparable(configurations):
        raise UserError(
            "config key figures.fig6: needs two configurations with two seeds or more, on one share of the data, of "
            "which one is wider and the other deeper; add them to the grid, or remove fig6."
        )
    if max(len(study.configurations[configuration]) for configuration in configurations) < 2:
        first, second = configurations
        raise UserError(
            f"config key figures.fig6: {first} and {second} have one seed each, and the control needs two of one of "
            "them; add seeds."
        )


def _check_in_grid(key, configuration, study):
    if configuration not in study.configurations:
        raise UserError(f"config key {key}: {configuration} is not in the grid; add it there or remove it here.")
