"""Train and analyse as much of a study's grid as a number of minutes on this machine allows, to a report.

First it measures how fast the device trains, and how many trainings at a time are worth while; then it plans, and
prints the plan: of the networks of figure 1, and of the same family on all data, the deepest, the widest and the
smallest, then those between, then further seeds. What does not fit is left out and named. When the trainings' share of
the time is over, those that still run write checkpoints. What is finished becomes a study of its own, with the config
results/STUDY-gpu/study.yaml, which is analysed to its end, whatever the time. The same command again has its minutes
anew: it goes on from the checkpoints, trains nothing twice, and adds what fits.

The data set is made as always. If the official archive lies here or in data/, nothing is downloaded.

Example:
  python scripts/run_within.py --minutes 120 --configfile config/cifar10.yaml
"""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import plan as in_words
import run_study

from widedeep import command, files, locking
from widedeep.interruption import STOPPED

PROFILE = "workflow/profiles/default"
# Rules of which as many jobs run as are worth while on one device; of the others one a core.
ON_DEVICE = ("train", "dump_activations", "probe_blocks", "A")
# How many times more operations a second GPUs have in TF32 than in float32, at most.
_FULL_FLOAT32 = 8


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--configfile", required=True, metavar="FILE", help="of the study whose grid is trained")
    parser.add_argument("--minutes", type=in_words.positive_float, required=True, help="from now to the report, about")
    return command.start(parser, argv)


def main(argv=None):
    args = parse(argv)
    until = time.monotonic() + 60 * args.minutes
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one
            signal.signal(number, signal.default_int_handler)
    from widedeep import config as study_config

    run = Run(with_archive(study_config.read(args.configfile)), until)
    try:
        with locking.only_writer([run_study.log_in(run.results)]):
            status = run.make_data() or run.train() or run.settle()
        return status or run.analyse() or run.failed
    except KeyboardInterrupt:  # while no Snakemake runs
        print("stopped; the same command goes on.")
        return command.INTERRUPTED


def with_archive(config):
    """A config with the official archive of its data set as the source, if that lies here or in data/."""
    from widedeep import config as study_config

    dataset = config["dataset"]
    name = study_config.ARCHIVES.get(dataset["name"])
    beside = [path for path in map(Path, ("", "data")) if name and (path / name).is_file()]
    if not beside or dataset.get("archive"):
        return config
    elsewhere = ("source", "mirrors")
    kept = {key: value for key, value in dataset.items() if key not in elsewhere}
    return config | {"dataset": kept | {"mirrors": [], "archive": str(beside[0] / name)}}


class Run:
    """What one call does; what earlier ones did, it reads from the results folder.

    Args:
        config: checked.
        until: moment of time.monotonic() at which the report is to be there.

    Attributes:
        results: folder of the study.
        failed: exit status of Snakemake if a training failed; the others are analysed all the same.
    """

    def __init__(self, config, until):
        self._config, self._until, self.failed = config | {"study": f"{config['study']}-gpu"}, until, 0
        self.results = Path("results", self._config["study"])
        # All that may be trained, in the order of the plan, and what is finished of it.
        self._grid, self._study = self.results / "grid.yaml", self.results / "study.yaml"
        self._done, self._least = {}, 0.0
        self._outdated = None  # not known yet
        self._at_once = 1  # where nothing is left to train, and so nothing measured

    def make_data(self):
        """Make the file of the data set, if it is not there. Returns the exit status."""
        from widedeep import config as study_config

        path = study_config.data_path(self._config)
        if path.exists():
            return 0
        print(f"Making {path}")
        write(self._grid, self._config)
        return self._follow([path])

    def train(self):
        """Train what fits, and plan anew while that leaves time. Returns the exit status, 0 if trainings failed."""
        from widedeep import budget, costs, reduction

        config = self._config
        images = costs.images_of(config)
        study = costs.of_study(config, images)
        networks = budget.candidates(config, {cost.model: cost for cost in study})
        write(self._grid, reduction.reduced(config, networks))
        self._done, rates, status = self._shares_done(networks), None, 0
        while not status and any(self._done.get(network) != 1 for network in networks):
            rates = rates or self._measure([cost for cost in study if cost.model in dict(networks)], images)
            choosing = budget.Budget(config, images, study, rates, self._done)
            chosen = choosing.plan(self._until - time.monotonic())
            print("\n" + "\n".join(table_of(chosen, rates, self._until - time.monotonic())))
            first = [(planned.model, planned.seed) for planned in chosen.trainings]
            if not first:
                self._least = choosing.least()
                break
            write(self._grid, reduction.reduced(config, list(dict.fromkeys([*first, *networks]))))
            status = self._follow(map(self._weights, first), self._until - chosen.analysis)
            self._done = self._shares_done(networks)
        if status == STOPPED:
            print("The time for trainings is over; those that ran have written checkpoints.")
        if status == command.INTERRUPTED:
            return status
        self.failed = 0 if status == STOPPED else status
        return 0

    def settle(self):
        """Write the config of what is finished. Returns the exit status: of trainings that failed, if nothing is.

        Raises:
            UserError: nothing is finished, and nothing failed.
        """
        from widedeep import config as study_config
        from widedeep import reduction
        from widedeep.errors import UserError

        grid = study_config.grid(self._config).items()
        finished = [(model, seed) for model, seeds in grid for seed in seeds if self._done.get((model, seed)) == 1]
        if finished:
            print(f"Trained networks: {len(finished)} ({self._study})")
            write(self._study, reduction.reduced(self._config, finished))
            return 0
        if self.failed:
            return self.failed
        if self._least:
            needed = in_words.duration(self._least)
            raise UserError(f"--minutes: too few for any network; the quickest takes {needed}, so give more.")
        raise UserError(
            f"{self.results}: no training has ended; checkpoints are kept, so run the same command again to go on."
        )

    def analyse(self):
        """Make dumps, figures, tables and report of the networks that are finished. Returns the exit status."""
        return run_study.main(["--configfile", str(self._study), "--profile", PROFILE, *self._shares_of_device()])

    def _follow(self, targets, until=None):
        words = [*self._snakemake(), *map(str, targets), *self._shares_of_device()]
        status, _ = run_study.follow(words, run_study.log_in(self.results), self.results, until)
        return status

    def _snakemake(self):
        return [sys.executable, "-m", "snakemake", "--configfile", str(self._grid), "--profile", PROFILE]

    def _shares_of_device(self):
        """Options of Snakemake."""
        each = [f"{rule}:gpu=1" for rule in ON_DEVICE]
        return ["--resources", f"gpu={self._at_once}", "--set-resources", *each]

    def _weights(self, network):
        model, seed = network
        return self.results / f"models/{model}/seed{seed}/model.safetensors"

    def _shares_done(self, networks):
        """dict from each network that is begun to the share of its training that is done, with 1 for finished ones."""
        from widedeep import progress, reduction

        done, epochs = {}, self._config["training"]["epochs"]
        for state in progress.states(reduction.reduced(self._config, networks)):
            if state.job.rule == "train" and state.name == "done":
                done[state.job.networks[0]] = 1
            elif state.job.rule == "train" and state.checkpoint:
                done[state.job.networks[0]] = (state.checkpoint - 1) / epochs
        # What is up to date stays so while this runs.
        if self._outdated is None or self._outdated:
            self._outdated = self._trained_again([network for network, share in done.items() if share == 1])
        return {network: share for network, share in done.items() if network not in self._outdated}

    def _trained_again(self, networks):
        """Those of the trained networks that Snakemake would train again, after a change of recipe or code."""
        from widedeep.errors import UserError

        if not networks:
            return []
        by_name = {f"{model}, seed {seed}": (model, seed) for model, seed in networks}
        dry_run = [*self._snakemake(), "-n", *map(str, map(self._weights, networks))]
        said = subprocess.run(dry_run, capture_output=True, text=True)
        if said.returncode:
            raise UserError(
                f"{self._grid}: Snakemake does not plan it; `snakemake --configfile {self._grid} -n` says why."
            )
        return [by_name[name] for name in re.findall(r"Training (\S+, seed \d+)$", said.stdout + said.stderr, re.M)]

    def _measure(self, study, images):
        """The budget.Rates of this machine, printed as they are found; sets how many jobs share the device."""
        from widedeep import budget, costs, models, side_by_side
        from widedeep.errors import UserError

        recipe, found = costs.recipe_of(self._config), {}
        narrow, wide = costs.smallest_and_largest(study)

        def throughput(number, cost=narrow):
            found[cost.model.width, number] = measured = side_by_side.measured(cost, images, recipe, number)
            speed = f"{measured.throughput / 1e9:,.3g} GFLOP/s" if measured.throughput else "no memory"
            print(f"  {in_words.name_of(cost):<24}{number:>4} at a time {speed:>18}", flush=True)
            return measured.throughput

        print("Measuring training steps:", flush=True)
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        number = budget.fastest_number(throughput, cores)
        while number and wide.model.width != narrow.model.width and not throughput(number, wide):
            number //= 2
        if not number:
            raise UserError(
                f"training.batch_size: a training of {in_words.name_of(wide)} finds no memory on this device; "
                "take it out of the grid, or use a smaller batch."
            )
        self._at_once = number
        operations = {width: measured.throughput for (width, at_once), measured in found.items() if at_once == number}
        alone = found[narrow.model.width, 1]
        print(f"on {alone.device}: {number} at a time")
        # Of what measures a trained network, TF32 is off.
        on_cuda = models.device_named("auto").type == "cuda"
        in_float32 = _FULL_FLOAT32 if on_cuda else 1
        a_gram = seconds_a_gram(self._config["dumps"]["batch_size"], found_before=on_cuda)
        return budget.Rates(number, operations, alone.start, products_of_a_core(), a_gram, in_float32, cores)


def products_of_a_core():
    """Operations a second of a matrix product in double precision, as CKA takes it, on one core."""
    import numpy as np

    first, second = np.random.default_rng(0).random((2, 400, 8192))
    started = time.perf_counter()
    first @ second.T
    return 2 * 400 * 400 * 8192 / (time.perf_counter() - started)


def seconds_a_gram(examples, found_before):
    """Seconds in which a core stores a Gram matrix of so many examples in a dump.

    Args:
        found_before: whether the scores of its first component are known, as on CUDA.
    """
    import h5py
    import numpy as np

    from widedeep import cka, dumps
    from widedeep.layers import LayerInfo

    # The variances of a layer's components fall about so; alike ones would be harder to tell apart.
    spread = np.arange(1, 2 * examples + 1) ** -0.5
    gram = cka.packed_gram(np.random.default_rng(0).standard_normal((examples, 2 * examples)) * spread)
    sample_ids, origin = np.arange(20 * examples).reshape(20, -1), dumps.Origin("measured", 1, "", "test")
    with h5py.File("measured", "w", driver="core", backing_store=False) as file:
        writer = dumps.Writer(file, "gram", origin, sample_ids, {})
        writer.add_layer(LayerInfo("layer", "other", 0, 0, (1,)))
        for minibatch in range(len(sample_ids)):
            if minibatch == 1:  # the first one imports what it needs
                started = time.perf_counter()
            writer.put_gram("layer", minibatch, gram, gram.diagonal if found_before else None)
        return (time.perf_counter() - started) / (len(sample_ids) - 1)


def table_of(chosen, rates, seconds):
    """Lines: each training of a plan (budget.Plan), what is left out, and how long all takes."""
    lines = [f"{'training':<32}{'seed':>6}{'left':>14}{'takes':>12}{'ends after':>12}"]
    for planned in chosen.trainings:
        left = in_words.operations(planned.operations)
        takes, ends = map(in_words.duration, (planned.seconds, planned.end))
        lines.append(f"  {in_words.name_of(planned):<30}{planned.seed:>6}{left:>14}{takes:>12}{ends:>12}")
    if not chosen.trainings:
        lines.append("  none fits into the time")
    by_model = {}
    for planned in chosen.left_out:
        by_model.setdefault(planned.model, []).append(planned)
    lines += ["left out"] * bool(by_model)
    for several in by_model.values():
        seeds = f"{len(several)} seed{'s' * (len(several) > 1)}"
        lines.append(f"  {in_words.name_of(several[0]):<30}{seeds:>20}{in_words.duration(several[0].seconds):>12}")
    after = f"then {in_words.duration(chosen.analysis)} of dumps, CKA, probes, figures and report"
    whole = f"{in_words.duration(chosen.seconds)} of {in_words.duration(max(seconds, 0))}"
    return [*lines, f"{rates.at_once} at a time, {after}: {whole}"]


def write(path, config):
    """Write a config, whole or not at all; one that says the same already stays, and the report with it."""
    import yaml

    text = "# Made by scripts/run_within.py.\n" + yaml.safe_dump(
        config, sort_keys=False, default_flow_style=None, width=110
    )
    if path.exists() and path.read_text() == text:
        return
    with files.replacing(path) as unfinished:
        unfinished.write_text(text)


if __name__ == "__main__":
    command.run(main)
