"""Verifies the results of a study: every file is there, whole, as the config asks, and consistent with the others.

Jobs with a provenance file (trainings, dumps, probes) recorded the checksum of each file that they wrote. HDF5 files
(seals.py), networks, and the parts of a PNG carry checksums of their own. Tables and PDF have none; their form is
checked.
"""

import collections
import functools
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from widedeep import names
from widedeep.analysis import activations
from widedeep.analysis.probe_options import ProbeRecipe
from widedeep.data import loading
from widedeep.data.minibatches import minibatches
from widedeep.formats import (
    components,
    dataset,
    dumps,
    hdf5,
    metrics,
    predictions,
    similarities,
    tables,
    weights,
)
from widedeep.formats.dump_options import DumpOptions
from widedeep.measures import kinds
from widedeep.names import Network
from widedeep.networks.build import without_weights
from widedeep.networks.layers import outputs
from widedeep.runtime import files, provenance
from widedeep.runtime.errors import MayBeWhole, UserError, first_line, printable, shortened
from widedeep.study.jobs import jobs_of
from widedeep.training.recipe import Recipe, settings_of

_REMEDY = "make it again"
# Files in a results folder that no job writes as its output.
_BESIDE = ("logs/", "timings/", "report.html", "grid.yaml", "study.yaml")


@dataclass
class Outcome:
    """Result of a verification.

    Attributes:
        wrong: dict from the expected path of each damaged, missing or inconsistent file to a sentence on it.
        unread: dict from the expected path of each file that the system does not read, and that may be whole, to a
            sentence on it.
        unmade: dict from each rule with jobs that have not run yet to (their number, number of all jobs of the rule).
        checked: dict from each kind of file to the number of files that were checked.
        unknown: number of files in the folder that no job of the config writes.
    """

    wrong: dict = field(default_factory=dict)
    unread: dict = field(default_factory=dict)
    unmade: dict = field(default_factory=dict)
    checked: collections.Counter = field(default_factory=collections.Counter)
    unknown: int = 0

    def add(self, problems):
        """Add a dict from the expected path of each file that was refused to the UserError."""
        for path, error in problems.items():
            (self.unread if isinstance(error, MayBeWhole) else self.wrong)[path] = printable(str(error))


def verify(folder, study):
    """Check a results folder; all files are read completely.

    Args:
        folder: of the study, as `results/demo`; the data set is expected in `data` beside `results`.
        study: config.Study.

    Returns:
        Outcome

    Raises:
        UserError: there is no such folder.
    """
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of a study, as {study.places.results}.")
    found, outcome = _Results(Path(folder), study), Outcome()
    jobs = jobs_of(study)
    totals = collections.Counter(job.rule for job in jobs)
    unmade = collections.Counter()
    for job in jobs:
        there = [path for path in job.writes if files.is_there(found.place(path))]
        if not there and not files.is_there(found.place(job.timing)):
            unmade[job.rule] += 1
            continue
        for path in there:
            outcome.checked[_kind(path)] += 1
        outcome.add(found.problems(job))
    outcome.unmade = {rule: (count, totals[rule]) for rule, count in unmade.items()}
    if not unmade:
        outcome.add(found.outdated_tables({*outcome.wrong, *outcome.unread}))
    known = {found.place(path) for job in jobs for path in job.writes}
    outcome.unknown = sum(
        path not in known
        and path.suffix != ".lock"
        and not path.relative_to(found.folder).as_posix().startswith(_BESIDE)
        for path in found.folder.rglob("*")
        if path.is_file()
    )
    return outcome


def _kind(path):
    """Kind of a file, for counting: its name for a network or the data set, else its folder and ending."""
    folder, name = Path(path).parts[2], Path(path).name
    if Path(path).parent.name == "measures":
        return f"measures/*{Path(path).suffix}"
    if folder in ("pairs", "figures"):
        return f"{folder}/*{Path(path).suffix}"
    return name if folder == "models" or path.startswith("data/") else f"*{Path(path).suffix}"


class _Results:
    """The files of a study and their checks, which raise a UserError that starts with the path of the file.

    Args:
        folder: pathlib.Path of the results.
        study: config.Study.
    """

    def __init__(self, folder, study):
        self.folder, self.study = folder, study
        self._root = Path(*folder.parts[:-2]) if len(folder.parts) > 1 else folder.absolute().parents[1]
        self._results = f"{study.places.results}/"

    def place(self, path):
        """Actual path of an expected one: the results folder may have been renamed."""
        inside = path.startswith(self._results)
        return self.folder / path.removeprefix(self._results) if inside else self._root / path

    def problems(self, job):
        """Check the files of a jobs.Job: dict from the expected path of each refused file to the UserError."""
        wrong = {}
        recorded = {}
        of_job = job.outputs.get("provenance")
        if of_job and files.is_there(self.place(of_job)):
            try:
                recorded = self._provenance(job)["outputs"]
            except UserError as error:
                wrong[of_job] = error
        for output in job.writes:
            path = self.place(output)
            try:
                if not files.is_there(path):
                    self._check_absent(path)
                elif output not in wrong:
                    self._check_bytes(path, recorded)
                    self._check(job, path)
            except UserError as error:
                wrong.setdefault(output, error)
        return wrong

    def _check_absent(self, path):
        if path.name != "activations.h5" or self.study.dumps.keep:
            raise UserError(f"{path}: is missing, and its job has run; {_REMEDY}.")

    def _check_bytes(self, path, recorded):
        with files.reading(path, _REMEDY) as file:
            found = files.checksum_of(file) if path.name in recorded else None
        if found != recorded.get(path.name):
            raise UserError(
                f"{path}: has checksum {found[:12]}, and {recorded[path.name][:12]} was recorded when it was written. "
                f"It was altered or is of another run; {_REMEDY}."
            )

    def _check(self, job, path):
        """Read a file completely, and compare it with the config and with the files that it was made from."""
        if job.rule == "download":
            self._check_data(path)
        elif job.rule == "compute_pairs":
            self._check_comparisons(path, _pairs(self.study, *job.networks))
        elif job.rule == "compute_measure":
            self._check_comparisons(path, {"/": job.networks * 2}, job.measure)
        elif path.name == "cka.h5":
            self._check_comparisons(path, {"/": job.networks * 2})
        elif path.suffix == ".h5":
            self._check_dump(path, job.networks[0])
        elif path.name == "model.safetensors":
            _, _, settings = weights.load(path, torch.device("cpu"))
            _compare(path, _with_defaults("train", settings), self._settings_of_training(job.networks[0]))
        elif path.name == "metrics.json":
            (label,) = metrics.read([path])
            _compare(path, {"network": label}, {"network": str(job.networks[0])})
        elif path.suffix == ".json":
            pass  # the provenance, which was checked before the other files of its job
        else:
            tables.check(path)
            if path.name == "history.csv":
                _compare(path, {"epochs": len(tables.read(path))}, {"epochs": self.study.training.epochs})

    def _provenance(self, job):
        """Content of a job's provenance file, once its network, settings and outputs are those of the config."""
        path, (network,) = self.place(job.outputs["provenance"]), job.networks
        content = provenance.read(path)
        _compare(path, content, {"model": str(network.configuration), "seed": network.seed})
        settings = {
            "train": self._settings_of_training,
            "dump_activations": self._settings_of_dump,
            "probe_residual_blocks": self._settings_of_probes,
        }[job.rule](network)
        _compare(path, _with_defaults(job.rule, content["settings"]), settings)
        written = {Path(output).name for output in job.writes[:-1]}
        if content["outputs"].keys() != written:
            raise UserError(f"{path}: lists other files than {', '.join(sorted(written))}; {_REMEDY}.")
        return content

    @functools.cached_property
    def _data(self):
        """dataset.Description of the data set; None where its file is missing or damaged."""
        try:
            return dataset.describe(self.place(self.study.places.data))
        except UserError:
            return None

    def _checksum_of(self, split):
        """{"data_checksum": checksum of the split}; empty where the data set is unknown."""
        return {"data_checksum": getattr(self._data, f"{split}_checksum")} if self._data else {}

    def _weights_of(self, network):
        """{"weights": checksum that the training recorded}; empty where there is no whole record."""
        try:
            content = provenance.read(self.folder / "models" / str(network) / "provenance.json")
        except UserError:
            return {}
        known = (
            names.label(content["model"], content["seed"]) == str(network) and "model.safetensors" in content["outputs"]
        )
        return {"weights": content["outputs"]["model.safetensors"]} if known else {}

    def _settings_of_training(self, network):
        settings = settings_of(network, self.study.training.recipe, None)
        del settings["data_checksum"]
        return {**settings, **self._checksum_of("train")}

    def _settings_of_dump(self, network):
        section = self.study.dumps.model_dump(exclude={"keep"})
        return {**section, **self._checksum_of("test"), **self._weights_of(network)}

    def _settings_of_probes(self, network):
        recipe = ProbeRecipe(**self.study.probes.model_dump(), flip=self.study.training.flip)
        return {"name": str(network), **recipe.model_dump(), **self._weights_of(network)}

    def _check_data(self, path):
        description = dataset.describe(path)
        _compare(path, {"name": description.name}, {"name": self.study.dataset.name})
        for split in ("train", "test"):
            loading.check(path, split)

    def _check_dump(self, path, network):
        """Check an activations.h5, pca.h5 or predictions.h5: its network and data, its layers, and every value."""
        remedy = "dump the activations again"
        with hdf5.open_sealed(path, remedy) as file, hdf5.explaining_damage(path, remedy):
            named = {"model": str(network.configuration), "seed": network.seed, "split": "test"}
            origin = {**named, **self._checksum_of("test")}
            _compare(path, dict(file.attrs), origin)
        if path.name == "activations.h5":
            with dumps.Dump(path) as dump:
                layers, form, sample_ids = [layer.name for layer in dump.layers], dump.form, dump.sample_ids
            _compare(path, {"form": form}, {"form": self.study.dumps.form})
            if self._data and not np.array_equal(sample_ids, self._sample_ids):
                raise UserError(f"{path}: holds other minibatches than the config asks for; {remedy}.")
            self._compare_layers(path, layers, network.configuration)
        elif path.name == "pca.h5":
            self._compare_layers(path, components.read(path)[1].names, network.configuration)
        else:
            (answers,) = predictions.read_all([path])
            if self._data:
                shape = (self._data.test_examples, len(self._data.classes))
                _compare(path, {"shape": answers.log_probabilities.shape}, {"shape": shape})

    def _check_comparisons(self, path, groups, measure=None):
        """Check a file of similarities: its pairs, their layers, and that every undefined value has a reason.

        Args:
            groups: dict from each expected group to its two networks.
            measure: name of the further measure that the file holds; None for CKA.
        """
        pairwise = measure is not None and kinds.named(measure).pairwise
        found = similarities.names(path) or ["/"]
        if {*found} != {*groups}:
            raise UserError(
                f"{path}: holds the pairs {shortened(', '.join(found))}, and not {', '.join(groups)}; {_REMEDY}."
            )
        for name, pair in groups.items():
            comparison = similarities.read(path, name, measure)
            sides = comparison.first, comparison.second
            for side, network in zip(sides, pair, strict=True):
                _compare(path, {"network": side.label}, {"network": str(network)})
                self._compare_layers(path, side.names, network.configuration, pairwise)
            sizes = {"minibatches": comparison.minibatches, "batch_size": comparison.batch_size}
            if self._data:
                _compare(path, sizes, dict(zip(sizes, self._sample_ids.shape, strict=True)))
            for held, values in comparison.measures.items():
                rows, columns = (np.array([bool(reason) for reason in side.undefined[held]]) for side in sides)
                if not np.array_equal(np.isfinite(values), ~(rows[:, None] | columns)):
                    raise UserError(f"{path}: holds an undefined {held} in group {name}, without a reason; {_REMEDY}.")

    @functools.cached_property
    def _sample_ids(self):
        section = self.study.dumps
        examples = min(section.examples or self._data.test_examples, self._data.test_examples)
        return minibatches(examples, section.batch_size, section.passes, section.seed)

    def _compare_layers(self, path, found, configuration, only_outputs=False):
        if self._data and (wanted := self._layers(configuration, only_outputs)) != found:
            differing = next((name for name in [*wanted, *found] if (name in wanted) != (name in found)), "their order")
            raise UserError(
                f"{path}: holds other layers than {configuration} has ({first_line(differing)}); {_REMEDY}."
            )

    @functools.cache  # noqa: B019 (one study a program)
    def _layers(self, configuration, only_outputs):
        network = without_weights(configuration, self._data.image_shape, len(self._data.classes))
        layers = activations.choose(network)
        return [layer.name for layer in (outputs(layers) if only_outputs else layers)]

    def outdated_tables(self, wrong):
        """Check that the tables of all networks hold those of the config; the result is as that of `problems`.

        Args:
            wrong: set of paths that were refused already, and are left out.
        """
        networks = {*map(str, self.study.networks)}
        found = {}
        for name in ("summary.csv", "provenance.csv"):
            output = self._results + name
            if output in wrong:
                continue
            try:
                table = tables.read(self.place(output))
            except UserError as error:
                found[output] = error
                continue
            listed = {names.label(model, int(seed)) for model, seed in zip(table.model, table.seed, strict=True)}
            if other := sorted(listed ^ networks):
                found[output] = UserError(
                    f"{self.place(output)}: differs from the config in {len(other)} networks, as "
                    f"{first_line(other[0])}; {_REMEDY}."
                )
        return found


def _pairs(study, first, second):
    """Expected groups in a file of pairs.

    Args:
        study: config.Study.
        first, second: names.Network, one of each configuration, with the larger seed of the file.

    Returns:
        dict from the group's name to its two networks
    """
    pairs = study.seed_pairs(first.configuration, second.configuration, most=None)
    return {
        names.pair_name(a, b): (Network(first.configuration, a), Network(second.configuration, b))
        for a, b in pairs
        if max(a, b) == first.seed
    }


def _with_defaults(rule, settings):
    """Settings that a job recorded, with the defaults of options that were added after it."""
    options = {"train": Recipe, "dump_activations": DumpOptions, "probe_residual_blocks": ProbeRecipe}[rule]
    return {**options().model_dump(), **settings}


def _compare(path, found, wanted):
    """Refuse a file whose content differs from what is wanted.

    Args:
        path: of the file.
        found: dict of its content.
        wanted: dict of the entries that it must have.

    Raises:
        UserError: the message names the first entry that differs.
    """
    for key, value in wanted.items():
        if key not in found or found[key] != value:
            has = shortened(found.get(key, "no value"))
            raise UserError(f"{path}: has {key} {has} where {value} is expected; {_REMEDY}.")
