"""Whether the files of a study are there, whole, what its config asks for, and of one piece with each other.

Jobs with a provenance file (trainings, dumps, probes) recorded the checksum of each file that they wrote. All HDF5
files carry a checksum (seals.py), and so do networks and the parts of a PNG. Tables and PDF have none: their form is
checked.
"""

import collections
import functools
from dataclasses import asdict, dataclass, field
from pathlib import Path

import h5py
import numpy as np
import torch

from widedeep import (
    components,
    costs,
    data,
    dumps,
    expected,
    files,
    hdf5,
    metrics,
    predictions,
    probes,
    provenance,
    seals,
    similarities,
    sweep,
    tables,
    training,
    weights,
)
from widedeep import config as study_config
from widedeep.errors import UserError

_REMEDY = "make it again"
# What lies in a results folder beside what the jobs of a finished study write.
_BESIDE = ("logs/", "timings/", "report.html", "grid.yaml", "study.yaml")


@dataclass
class Outcome:
    """What was found.

    Attributes:
        wrong: dict from the expected path of each damaged, missing or inconsistent file to a sentence.
        unmade: dict from each rule with jobs that have not run yet to (their number, all jobs of the rule).
        checked: dict from each kind of file to how many were checked.
        unknown: files in the folder that no job of the config writes.
    """

    wrong: dict = field(default_factory=dict)
    unmade: dict = field(default_factory=dict)
    checked: collections.Counter = field(default_factory=collections.Counter)
    unknown: int = 0


def verify(folder, config):
    """Check a results folder; reads all files completely.

    Args:
        folder: of the study, as `results/demo`; the data set is looked for in `data` beside `results`.
        config: checked.

    Returns:
        Outcome

    Raises:
        UserError: there is no such folder.
    """
    if not Path(folder).is_dir():
        raise UserError(f"{folder}: no such folder; give the folder of a study, as results/{config['study']}.")
    study, outcome = _Study(Path(folder), config), Outcome()
    jobs = expected.jobs(config)
    totals = collections.Counter(job.rule for job in jobs)
    unmade = collections.Counter()
    for job in jobs:
        there = [path for path in job.outputs if study.place(path).exists()]
        if not there and not study.place(job.timing).exists():
            unmade[job.rule] += 1
            continue
        for path in there:
            outcome.checked[_kind(path)] += 1
        outcome.wrong.update(study.problems(job))
    outcome.unmade = {rule: (count, totals[rule]) for rule, count in unmade.items()}
    if not unmade:
        outcome.wrong.update(study.outdated_tables(outcome.wrong))
    known = {study.place(path) for job in jobs for path in job.outputs}
    outcome.unknown = sum(
        path not in known
        and path.suffix != ".lock"
        and not path.relative_to(study.folder).as_posix().startswith(_BESIDE)
        for path in study.folder.rglob("*")
        if path.is_file()
    )
    return outcome


def _kind(path):
    """What a file is counted as: its name in a network's folder and of the data, elsewhere its folder and ending."""
    folder, name = Path(path).parts[2], Path(path).name
    if folder in ("pairs", "figures"):
        return f"{folder}/*{Path(path).suffix}"
    return name if folder == "models" or path.startswith("data/") else f"*{Path(path).suffix}"


class _Study:
    """The checks; each raises UserError, whose sentence starts with the file's path."""

    def __init__(self, folder, config):
        self.folder, self.config = folder, config
        self._root = Path(*folder.parts[:-2]) if len(folder.parts) > 1 else folder.absolute().parents[1]
        self._results = f"results/{config['study']}/"

    def place(self, path):
        """Where an expected file is: the folder may have another name than the workflow gives it."""
        inside = path.startswith(self._results)
        return self.folder / path.removeprefix(self._results) if inside else self._root / path

    def problems(self, job):
        """dict from the expected path of each wrong file of a job to a sentence."""
        wrong = {}
        recorded = {}
        if job.outputs[-1].endswith("provenance.json") and self.place(job.outputs[-1]).exists():
            try:
                recorded = self._provenance(job)["outputs"]
            except UserError as error:
                wrong[job.outputs[-1]] = str(error)
        for output in job.outputs:
            path = self.place(output)
            try:
                if not path.exists():
                    self._check_absent(path)
                elif output not in wrong:
                    self._check_bytes(path, recorded)
                    self._check(job, path)
            except UserError as error:
                wrong.setdefault(output, str(error))
        return wrong

    def _check_absent(self, path):
        if path.name != "activations.h5" or self.config["dumps"]["keep"]:
            raise UserError(f"{path}: is missing, and its job has run; {_REMEDY}.")

    def _check_bytes(self, path, recorded):
        if path.name in recorded and (found := files.checksum(path)) != recorded[path.name]:
            raise UserError(
                f"{path}: has checksum {found[:12]} where {recorded[path.name][:12]} was recorded when it was written; "
                f"it was altered or is of another run, {_REMEDY}."
            )

    def _check(self, job, path):
        """Read a file completely, and compare it with the config and with the files it belongs to."""
        if job.rule == "download":
            self._check_data(path)
        elif job.rule == "compute_pairs":
            self._check_comparisons(path, _pairs(self.config, *job.networks))
        elif path.name == "cka.h5":
            self._check_comparisons(path, {"/": job.networks * 2})
        elif path.suffix == ".h5":
            self._check_dump(path, *job.networks[0])
        elif path.name == "model.safetensors":
            _, _, settings = weights.load(path, torch.device("cpu"))
            _compare(path, settings, self._settings_of_training(*job.networks[0]))
        elif path.name == "metrics.json":
            (label,) = metrics.read([path])
            _compare(path, {"network": label}, {"network": _label(job.networks[0])})
        elif path.suffix == ".json":
            pass  # the provenance itself, checked before its job's files
        else:
            tables.check(path)
            if path.name == "history.csv":
                _compare(path, {"epochs": len(tables.read(path))}, {"epochs": self.config["training"]["epochs"]})

    def _provenance(self, job):
        """The content of a job's provenance file, which must be of its network, of the config, and of its weights."""
        path = self.place(job.outputs[-1])
        content = provenance.read(path)
        model, seed = job.networks[0]
        _compare(path, content, {"model": str(model), "seed": seed})
        settings = {
            "train": self._settings_of_training,
            "dump_activations": self._settings_of_dump,
            "probe_blocks": self._settings_of_probes,
        }[job.rule](model, seed)
        _compare(path, content["settings"], settings)
        written = {Path(output).name for output in job.outputs[:-1]}
        if content["outputs"].keys() != written:
            raise UserError(f"{path}: tells of other files than {', '.join(sorted(written))}; {_REMEDY}.")
        return content

    @functools.cached_property
    def _data(self):
        """data.Description of the data set, None where it is missing or damaged."""
        try:
            return data.describe(self.place(str(study_config.data_path(self.config))))
        except UserError:
            return None

    def _checksum_of(self, split):
        """{"data_checksum": of the split}, empty where it is not known."""
        return {"data_checksum": getattr(self._data, f"{split}_checksum")} if self._data else {}

    def _weights_of(self, model, seed):
        """{"weights": checksum that the training recorded}, empty where it is not known."""
        try:
            content = provenance.read(self.folder / "models" / _label((model, seed)) / "provenance.json")
        except UserError:
            return {}
        known = (content["model"], content["seed"]) == (str(model), seed) and "model.safetensors" in content["outputs"]
        return {"weights": content["outputs"]["model.safetensors"]} if known else {}

    def _settings_of_training(self, model, seed):
        recipe = {k: v for k, v in self.config["training"].items() if k not in ("checkpoint_minutes", "gpus")}
        settings = training.settings(model, seed, training.Recipe(**recipe), None)
        del settings["data_checksum"]
        return {**settings, **self._checksum_of("train")}

    def _settings_of_dump(self, model, seed):
        keys = ("form", "batch_size", "passes", "examples", "seed")
        section = {key: self.config["dumps"].get(key) for key in keys}
        return {**section, **self._checksum_of("test"), **self._weights_of(model, seed)}

    def _settings_of_probes(self, model, seed):
        recipe = probes.ProbeRecipe(**self.config["probes"], flip=self.config["training"]["flip"])
        return {"name": _label((model, seed)), **asdict(recipe), **self._weights_of(model, seed)}

    def _check_data(self, path):
        description = data.describe(path)
        _compare(path, {"name": description.name}, {"name": self.config["dataset"]["name"]})
        for split in ("train", "test"):
            data.check(path, split)

    def _check_dump(self, path, model, seed):
        """activations.h5, pca.h5 and predictions.h5: what they are of, and that every value can be read."""
        remedy = "dump the activations again"
        seals.check(path, remedy)
        with hdf5.explaining_damage(path, remedy), h5py.File(path, "r") as file:
            origin = {"model": str(model), "seed": seed, "split": "test", **self._checksum_of("test")}
            _compare(path, dict(file.attrs), origin)
        if path.name == "activations.h5":
            with dumps.Dump(path) as dump:
                names, form, sample_ids = [layer.name for layer in dump.layers], dump.form, dump.sample_ids
            _compare(path, {"form": form}, {"form": self.config["dumps"]["form"]})
            if self._data and not np.array_equal(sample_ids, self._sample_ids):
                raise UserError(f"{path}: its minibatches are not those of the config; {remedy}.")
            self._compare_layers(path, names, model)
        elif path.name == "pca.h5":
            self._compare_layers(path, components.read(path)[1].names, model)
        else:
            (answers,) = predictions.read_all([path])
            if self._data:
                shape = (self._data.test_examples, len(self._data.classes))
                _compare(path, {"shape": answers.log_probabilities.shape}, {"shape": shape})

    def _check_comparisons(self, path, groups):
        """A file of CKA: its pairs, their layers, and that nothing is undefined without a reason.

        Args:
            groups: dict from each expected group to its two networks.
        """
        found = similarities.names(path) or ["/"]
        if {*found} != {*groups}:
            raise UserError(f"{path}: holds the pairs {', '.join(found)} where {', '.join(groups)} are expected.")
        for name, pair in groups.items():
            comparison = similarities.read(path, name)
            sides = comparison.first, comparison.second
            for side, network in zip(sides, pair, strict=True):
                _compare(path, {"network": side.label}, {"network": _label(network)})
                self._compare_layers(path, side.names, network[0])
            sizes = {"minibatches": comparison.minibatches, "batch_size": comparison.batch_size}
            if self._data:
                _compare(path, sizes, dict(zip(sizes, self._sample_ids.shape, strict=True)))
            for values, what in ((comparison.values, "undefined"), (comparison.deflated, "undefined_deflated")):
                rows, columns = (np.array([bool(reason) for reason in getattr(side, what)]) for side in sides)
                if not np.array_equal(np.isfinite(values), ~(rows[:, None] | columns)):
                    raise UserError(f"{path}: holds a value that is not finite, without a reason in {name}; {_REMEDY}.")

    @functools.cached_property
    def _sample_ids(self):
        section = self.config["dumps"]
        examples = min(section.get("examples", self._data.test_examples), self._data.test_examples)
        return dumps.minibatches(examples, section["batch_size"], section["passes"], section["seed"])

    def _compare_layers(self, path, names, model):
        if self._data and (wanted := self._layers(model)) != names:
            differing = next((name for name in [*wanted, *names] if (name in wanted) != (name in names)), "their order")
            raise UserError(f"{path}: holds other layers than {model} has ({differing}); {_REMEDY}.")

    @functools.cache  # noqa: B019 (one study a program)
    def _layers(self, model):
        known = self._data
        images = costs.Images(known.train_examples, known.test_examples, known.image_shape, len(known.classes))
        return [layer.name for layer in sweep.choose(costs.unfilled(model, images))]

    def outdated_tables(self, wrong):
        """As `problems`: the tables of all networks that hold others than the config; those in `wrong` are left out."""
        networks = {_label((model, seed)) for model, seeds in study_config.grid(self.config).items() for seed in seeds}
        found = {}
        for name in ("summary.csv", "provenance.csv"):
            output = self._results + name
            if output in wrong:
                continue
            table = tables.read(self.place(output))
            listed = {f"{model}/seed{seed:g}" for model, seed in zip(table.model, table.seed, strict=True)}
            if other := sorted(listed ^ networks):
                found[output] = (
                    f"{self.place(output)}: and the config differ in {len(other)} networks, as {other[0]}; {_REMEDY}."
                )
        return found


def _label(network):
    """`cifar10-resnet38-w10-f100/seed3` of (names.Model, seed)."""
    return f"{network[0]}/seed{network[1]}"


def _pairs(config, first, second):
    """The groups in the file of all pairs of two configurations whose larger seed is that of the given networks.

    Returns:
        dict from the group's name to its two networks
    """
    seeds, largest = study_config.grid(config), first[1]
    others = None if first[0] == second[0] else seeds[second[0]]
    pairs = study_config.seed_pairs(seeds[first[0]], others, most=None)
    return {f"seed{a}--seed{b}": ((first[0], a), (second[0], b)) for a, b in pairs if max(a, b) == largest}


def _compare(path, found, wanted):
    """Refuse a file in which an entry of `wanted` is another one.

    Raises:
        UserError: it names the first such entry.
    """
    for key, value in wanted.items():
        if key not in found or found[key] != value:
            raise UserError(f"{path}: has {key} {found.get(key, 'missing')} where {value} is expected; {_REMEDY}.")
