"""Checks that all of a config fits together, read from a file (reading.py) or by Snakemake.

Types and bounds of single keys are in config.py.
"""

import math
import typing

from pydantic import ValidationError

from widedeep.data import catalogue
from widedeep.networks import families
from widedeep.runtime import options
from widedeep.runtime.errors import UserError, shortened
from widedeep.study import places, reading
from widedeep.study.config import Dataset, Study
from widedeep.study.drawings import compared
from widedeep.study.sections import comparable

# Most entries of a config, and most networks of its grid: a few lines of YAML with aliases or lists can stand for more
# than fits into memory.
LARGEST = 100_000


def read(path):
    """Read and check the config in a file.

    Args:
        path: of the file; the workflow's own configs have the same name in every folder, as config/demo.yaml.

    Returns:
        config.Study

    Raises:
        UserError: see reading.content; or the file is not the config of a study.
    """
    content = reading.content(places.shipped(path))
    if _is_larger(content, LARGEST):
        raise UserError(f"{path}: has more than {LARGEST} entries; shorten it, see config/demo.yaml.")
    try:
        return checked(content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    except ValueError as error:  # a number of more digits than Python writes
        raise UserError(f"{path}: holds a number that is too long ({shortened(str(error))}).") from error


def _is_larger(content, most):
    """Whether a value of YAML has more than `most` entries when each alias is written out; it may hold itself."""
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
    """Check a config that was read from YAML.

    Args:
        content: mapping.

    Returns:
        config.Study

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
    """Check the section `dataset` alone; see `checked`.

    Returns:
        config.Dataset
    """
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
    """A message for one of pydantic's errors: key, expected and found value, and the description of the key."""
    *parents, _ = error["loc"] or ("",)
    key = f"config key {shortened(reading.dotted(error['loc']))}"
    keys, description = _described(error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{key} is unknown; the keys there are {', '.join(sorted(_described(parents)[0]))}."
    if error["type"] == "missing":
        return f"{key} is missing. {description}".strip()
    if error["type"] == "model_type":
        where, found = key if error["loc"] else "the config", shortened(repr(error["input"]))
        return f"{where}: should be a mapping with the keys {', '.join(sorted(keys))}, and is {found}."
    return f"{key}: {options.sentence(error)}. {description}".strip()


def _described(loc):
    """(keys, description) of a place in the config, as of a section; both empty where there is no such place."""
    kind, description = Study, ""
    for part in loc:
        if isinstance(part, int):
            kind = options.kind_of(next(iter(typing.get_args(kind)), None))
            continue
        field = _fields(kind).get(part)
        if field is None:
            return [], ""
        kind = options.kind_of(field.annotation)
        description = field.description or (kind.__doc__ or "").partition("\n")[0]
    return [*_fields(kind)], description


def _fields(kind):
    """dict from the keys of a section, as written in configs, to pydantic's fields; empty for any other type."""
    return {field.alias or name: field for name, field in getattr(kind, "model_fields", {}).items()}


def _check_dataset(dataset):
    """Refuse a section `dataset` with keys that the data set does not have.

    Args:
        dataset: config.Dataset.

    Raises:
        UserError: one sentence that names the key.
    """
    name = dataset.name
    if dataset.workers and not dataset.stream:
        raise UserError("config key dataset.workers is for streamed images; set dataset.stream to true, or remove it.")
    if path := catalogue.own_file(name):
        _refuse(
            dataset,
            ("source", "folder", "archive", "mirrors", "image_size", "stream"),
            f"{name} comes from {path} alone; remove the key",
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
            "config key dataset.image_size is missing; give the side, in pixels, to which images are resized."
        )
    _refuse(dataset, ("archive", "mirrors"), f"{name} comes from dataset.folder alone; remove the key")


def _check_known(dataset, record):
    name, size, source = dataset.name, dataset.image_size, dataset.source
    _refuse(
        dataset, ("folder", "stream"), f"it is for images of your own, and {name} is a known data set; remove the key"
    )
    if size is not None and (size >= record.side or record.side % size):
        raise UserError(
            f"config key dataset.image_size is {size}; give a smaller divisor of {record.side}, the side of {name} in "
            "pixels, or remove the key."
        )
    if source is not None and source not in record.sources:
        raise UserError(f"config key dataset.source is {source}; {name} has {', '.join(record.sources)}.")
    if source not in (None, "official") or "official" not in record.sources:
        _refuse(dataset, ("archive", "mirrors"), "it is for the source official; remove the key, or choose that source")
    if dataset.archive and dataset.mirrors:
        raise UserError("config keys dataset.archive and dataset.mirrors exclude each other; remove one of the two.")


def _refuse(dataset, keys, why):
    for key in keys:
        if getattr(dataset, key):
            raise UserError(f"config key dataset.{key}: {why}.")


def check_examples(study, train, test):
    """Refuse minibatches that need more images than the data set of a study has.

    Args:
        study: config.Study.
        train, test: numbers of images of both splits; infinite where they are not known.

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
                f"config key figures.A.batch_sizes: {largest} is more than the {examples} examples of this figure; use "
                "smaller ones."
            )


def needed_examples(study):
    """Least numbers of (training, test) images with which check_examples accepts a study."""
    train = 1
    for _, configuration, batch_size in _training_batches(study):
        while _examples_of(configuration, train) < batch_size:
            train = max(train + 1, math.floor((batch_size - 0.5) / configuration.fraction))
    of_figure_a = study.sections["A"].batch_sizes if "A" in study.sections else []
    return train, max([study.dumps.batch_size, *of_figure_a])


def _training_batches(study):
    """list of (config key, configuration, images a step) of all trainings and probes of a study."""
    probed = study.shown("fig4") if "fig4" in study.sections else []
    return [
        *(("training.batch_size", one, study.training.batch_size) for one in study.configurations),
        *(("probes.batch_size", one, study.probes.batch_size) for one in probed),
    ]


def _examples_of(configuration, train):
    """Number of training images that a configuration sees, of `train` images in all."""
    return round(configuration.fraction * train) if train < math.inf else train


def _check_grid(study):
    networks = sum(
        math.prod(map(len, (entry.depths, entry.widths, entry.fractions, entry.seeds))) for entry in study.grid
    )
    if networks > LARGEST:
        raise UserError(f"config key grid: has {networks} networks, more than {LARGEST}; shorten its lists.")
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
            f"config key training.flip is true, and a mirrored image of {record.name} may be of another class; set it "
            "to false."
        )
    if training.batch_size % training.gpus:
        raise UserError(
            f"config key training.gpus is {training.gpus}, and training.batch_size, {training.batch_size}, is no "
            "multiple of it; change one of the two."
        )


def _check_figures(study):
    """Refuse figures with networks or seeds that are not in the grid."""
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
    if study.measures and "fig1" not in study.sections:
        raise UserError(
            f"config key measures: {', '.join(study.measures)} are computed within the networks of figures.fig1, which "
            "is missing; add that section, or remove measures."
        )
    if "fig6" in study.sections:
        _check_figure_6(study)
    if "fig5" in study.sections:
        for configuration in study.shown("fig5"):
            if len(study.configurations[configuration]) < 2:
                raise UserError(
                    f"config key figures.fig5.models: {configuration} has one seed, and pairs need two; add seeds."
                )


def _check_figure_6(study):
    configurations = compared(study)
    if not comparable(configurations):
        raise UserError(
            "config key figures.fig6: needs a wider and a deeper configuration with two seeds or more each, on the "
            "same share of the data; add them to the grid, or remove fig6."
        )
    if max(len(study.configurations[configuration]) for configuration in configurations) < 2:
        first, second = configurations
        raise UserError(
            f"config key figures.fig6: {first} and {second} have one seed each, and the control compares two seeds of "
            "one of them; add seeds."
        )


def _check_in_grid(key, configuration, study):
    if configuration not in study.configurations:
        raise UserError(f"config key {key}: {configuration} is not in the grid; add it there or remove it here.")
