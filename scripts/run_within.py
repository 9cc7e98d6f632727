"""Train and analyse as much of a study's grid as fits into a number of minutes on this machine, to a report.

First the rate of the device is measured, and how many parallel trainings give the best throughput. Then a plan is made
and printed. It has networks of figure 1, and of the same family on all data: first the deepest, the widest and the
smallest, then those between, then further seeds. Networks that do not fit are listed. When the time for trainings is
over, those that still run write checkpoints. The trained networks become a study of their own, with the config
results/STUDY-gpu/study.yaml, which is analysed to its end, even if that takes longer. Each further call of the same
command has its minutes again: it goes on from the checkpoints, trains nothing twice, and adds networks that fit.

The data set is made as by any study. If its official archive is in this folder or in data/, nothing is downloaded.

Example:
  python scripts/run_within.py --minutes 120 --configfile config/cifar10.yaml
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import plan
import run_study

from widedeep.runtime import command, environment, events, files, limits, locking
from widedeep.runtime.interruption import STOPPED
from widedeep.runtime.units import duration, operations
from widedeep.study import places

# Rules whose jobs share the device, as many at a time as give the best throughput; other jobs have a core each.
ON_DEVICE = ("train", "dump_activations", "probe_residual_blocks", "cka_convergence")
# Largest ratio of the operations a second of GPUs in TF32 to those in float32.
_FULL_FLOAT32 = 8


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--configfile", required=True, metavar="FILE", help="config of the study")
    parser.add_argument(
        "--minutes", type=plan.positive_float, required=True, help="approximate time from now to the report"
    )
    return command.start(parser, argv)


def main(argv=None):
    args = parse(argv)
    environment.find_cache()
    until = time.monotonic() + 60 * args.minutes
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one
            signal.signal(number, signal.default_int_handler)
    from widedeep.study import checks

    run = Run(with_archive(checks.read(args.configfile)), until)
    try:
        with locking.only_writer([run_study.log_of(run.study)]):
            status = run.make_data() or run.train() or run.write_finished()
        return status or run.analyse() or run.failed
    except KeyboardInterrupt:  # while no Snakemake runs
        print("stopped; the same command goes on.")
        return command.INTERRUPTED


def with_archive(study):
    """The study, with the official archive of its data set as the source if it is in this folder or in data/."""
    from widedeep.data import catalogue

    record = catalogue.WITH_SOURCES.get(study.dataset.name)
    name = record and record.archive
    beside = [path for path in map(Path, ("", "data")) if name and (path / name).is_file()]
    if not beside or study.dataset.archive:
        return study
    found = {"source": None, "mirrors": [], "archive": str(beside[0] / name)}
    return study.model_copy(update={"dataset": study.dataset.model_copy(update=found)})


class Run:
    """One call of this program; the work of earlier calls is read from the results folder.

    Args:
        study: config.Study.
        until: moment of time.monotonic() at which the report should be there.

    Attributes:
        study: the study under the name STUDY-gpu.
        failed: exit status of Snakemake if a training failed, else 0; the other trainings are analysed nevertheless.
    """

    def __init__(self, study, until):
        from widedeep.study.config import Study

        self.study = Study.model_validate({**study.dump(), "study": f"{study.study}-gpu"})
        self._until, self.failed = until, 0
        # The configs of all candidates, in the order of the plan, and of the trained networks.
        folder = Path(self.study.places.results)
        self._grid, self._finished = folder / "grid.yaml", folder / "study.yaml"
        self._done, self._shortest_useful = {}, 0.0
        self._outdated = None  # not known yet
        # Trainings at a time, and whether they share a process; if nothing is left to train, nothing is measured.
        self._at_once, self._together = 1, False

    def make_data(self):
        """Make the file of the data set if it is missing, and return the exit status."""
        path = Path(self.study.places.data)
        if path.exists():
            return 0
        print(f"Making {path}")
        write(self._grid, self.study)
        return self._follow([path])

    def train(self):
        """Train the networks that fit, and plan again while there is time left.

        Returns:
            exit status after an interruption; 0 otherwise, even if trainings failed
        """
        from widedeep.planning import budget
        from widedeep.planning.costs import Costs
        from widedeep.planning.images import images_of
        from widedeep.study.subset import subset_of

        costs = Costs(self.study, images_of(self.study))
        networks = budget.candidates(costs)
        write(self._grid, subset_of(self.study, networks))
        self._done, rates, status = self._shares_done(networks), None, 0
        while not status and any(self._done.get(network) != 1 for network in networks):
            rates = rates or self._measure({network.configuration for network in networks}, costs.images)
            choosing = budget.Budget(costs, rates, self._done)
            chosen = choosing.plan(self._until - time.monotonic())
            print("\n" + "\n".join(table_of(chosen, rates, self._until - time.monotonic())))
            first = [planned.network for planned in chosen.trainings]
            if not first:
                self._shortest_useful = choosing.least()
                break
            # No others: a job that trains seeds together takes along those of its config.
            trained = [network for network in networks if self._done.get(network) == 1]
            write(self._grid, self._with_at_once(subset_of(self.study, [*first, *trained])))
            status = self._follow(map(self._weights, first), self._until - chosen.analysis)
            self._done = self._shares_done(networks)
        if status == STOPPED:
            print("The time for trainings is over; running trainings have written checkpoints.")
        if status == command.INTERRUPTED:
            return status
        self.failed = 0 if status == STOPPED else status
        return 0

    def write_finished(self):
        """Write the config of the trained networks.

        Returns:
            exit status: 0, or that of failed trainings if no network is trained

        Raises:
            UserError: no network is trained, and no training failed.
        """
        from widedeep.runtime.errors import UserError
        from widedeep.study.subset import subset_of

        finished = [network for network in self.study.networks if self._done.get(network) == 1]
        if finished:
            print(f"Trained networks: {len(finished)} ({self._finished})")
            write(self._finished, subset_of(self.study, finished))
            return 0
        if self.failed:
            return self.failed
        if self._shortest_useful:
            needed = duration(self._shortest_useful)
            raise UserError(
                f"--minutes: no network fits; give at least the {needed} (h:min:s) that the quickest takes."
            )
        raise UserError(
            f"{self.study.places.results}: no training has ended; run the same command again to go on from the "
            "checkpoints."
        )

    def analyse(self):
        """Make dumps, figures, tables and report of the trained networks, and return the exit status."""
        return run_study.main(["--configfile", str(self._finished), *self._shares_of_device()])

    def _follow(self, targets, until=None):
        words = [*self._snakemake(), *map(str, targets), *self._shares_of_device()]
        status, _ = run_study.follow(words, run_study.log_of(self.study), self.study, until)
        return status

    def _snakemake(self):
        return [sys.executable, "-m", "snakemake", *places.snakemake_options(self._grid, places.PROFILE)]

    def _with_at_once(self, study):
        """The study with as many seeds of a configuration at a time as pay off."""
        training = study.training.model_copy(update={"at_once": self._at_once})
        return study.model_copy(update={"training": training})

    def _shares_of_device(self):
        """Options with which Snakemake runs as many jobs at a time on the device as pay off."""
        each = [f"{rule}:gpu=1" for rule in ON_DEVICE]
        if self._together:  # one job trains all of them
            each[ON_DEVICE.index("train")] = f"train:gpu={self._at_once}"
        return ["--resources", f"gpu={self._at_once}", "--set-resources", *each]

    def _weights(self, network):
        return self.study.places.of_network(network, "model.safetensors")

    def _shares_done(self, networks):
        """dict from each network whose training has begun to the share that is done; 1 means finished."""
        from widedeep.planning import progress
        from widedeep.study.subset import subset_of

        done, epochs = {}, self.study.training.epochs
        for state in progress.states(subset_of(self.study, networks)):
            if state.job.rule == "train" and state.name == "done":
                done[state.job.networks[0]] = 1
            elif state.job.rule == "train" and state.checkpoint:
                done[state.job.networks[0]] = (state.checkpoint - 1) / epochs
        # Trainings that are up to date stay so while this program runs.
        if self._outdated is None or self._outdated:
            self._outdated = self._trained_again([network for network, share in done.items() if share == 1])
        return {network: share for network, share in done.items() if network not in self._outdated}

    def _trained_again(self, networks):
        """list of the trained networks that Snakemake would train again, after a change of recipe or code."""
        from widedeep.runtime.errors import UserError
        from widedeep.study.subset import subset_of

        if not networks:
            return []
        write(self._grid, subset_of(self.study, networks))
        by_key = {
            events.key("train", {"model": network.configuration, "seed": network.seed}): network for network in networks
        }
        with tempfile.TemporaryDirectory() as folder:
            planned = Path(folder, "events.jsonl")
            dry_run = [*self._snakemake(), "-n", *map(self._weights, networks)]
            environment = {**os.environ, events.ELSEWHERE: str(planned)}
            said = subprocess.run(dry_run, capture_output=True, text=True, env=environment)
            run = events.newest_run(planned)
        if said.returncode:
            raise UserError(
                f"{self._grid}: Snakemake refuses it; `snakemake --configfile {self._grid} -n` prints the reason."
            )
        return [network for key, network in by_key.items() if run and key in run.jobs]

    def _measure(self, configurations, images):
        """Measure the budget.Rates of this machine and print them; sets how many jobs share the device."""
        from widedeep.networks.devices import device_named
        from widedeep.planning import budget, throughput
        from widedeep.runtime.errors import UserError

        recipe, found = self.study.training.recipe, {}
        narrow, wide = throughput.smallest_and_largest(configurations, images)
        on_cuda = device_named("auto").type == "cuda"
        cores = limits.cores()

        def throughput_of(number, configuration=narrow):
            measured = throughput.side_by_side(configuration, images, recipe, number, in_one=on_cuda)
            found[configuration.width, number] = measured
            print(f"  {plan.title_of(configuration):<24}{number:>4} at a time {speed_of(measured):>18}", flush=True)
            return measured.throughput

        print("Measuring training steps:", flush=True)
        number = budget.fastest_number(throughput_of, self.study.training.at_once if on_cuda else cores)
        while number and wide.width != narrow.width and not throughput_of(number, wide):
            number //= 2
        if not number:
            raise UserError(
                f"training.batch_size: a training of {plan.title_of(wide)} does not fit into the memory of this "
                "device; use a smaller batch, or take it out of the grid."
            )
        self._at_once, self._together = number, on_cuda
        alone = found[narrow.width, 1]
        print(f"on {alone.device}: {number} at a time" + " in one process" * on_cuda)
        rates = {width: measured.throughput for (width, at_once), measured in found.items() if at_once == number}
        by_width = " ".join(f"{width:g}:{rate / 1e9:g}" for width, rate in sorted(rates.items()))
        print(f"for scripts/plan.py: --throughput {by_width}")
        less = {at: found[width, at].throughput for width, at in found if width == narrow.width and at < number}
        return budget.Rates(
            at_once=number,
            operations=rates,
            analysing=self._kernel_by_kernel([narrow, wide], images) if on_cuda else rates,
            fewer={at: rate / rates[narrow.width] for at, rate in less.items()} or {1: 1.0} if on_cuda else {},
            start=alone.start,
            products=throughput.product_rate(),
            store_gram=throughput.seconds_to_store_gram(self.study.dumps.batch_size, with_scores=on_cuda),
            # TF32 is off in all programs that measure trained networks.
            in_float32=_FULL_FLOAT32 if on_cuda else 1,
            cores=cores,
        )

    def _kernel_by_kernel(self, configurations, images):
        """Throughput by width of one process that runs networks as dumps and probes do, measured and printed."""
        from widedeep.planning import throughput

        rates = {}
        for one in dict.fromkeys(configurations):
            measured = throughput.side_by_side(one, images, self.study.training.recipe, 1, in_graph=False)
            rates[one.width] = measured.throughput
            print(f"  {plan.title_of(one):<24}   kernel by kernel {speed_of(measured):>16}", flush=True)
        return rates


def speed_of(measured):
    """A throughput.Measured in words."""
    return f"{measured.throughput / 1e9:,.0f} GFLOP/s" if measured.throughput else "no memory"


def table_of(chosen, rates, seconds):
    """Lines of a table: each training of a plan, the networks that are left out, and the time of all.

    Args:
        chosen: budget.Plan.
        rates: budget.Rates.
        seconds: that are left.
    """
    lines = [f"{'training':<32}{'seed':>6}{'left':>14}{'takes':>12}{'ends after':>12}"]
    for planned in chosen.trainings:
        left = operations(planned.operations)
        takes, ends = map(duration, (planned.seconds, planned.end))
        network = planned.network
        lines.append(f"  {plan.title_of(network.configuration):<30}{network.seed:>6}{left:>14}{takes:>12}{ends:>12}")
    if not chosen.trainings:
        lines.append("  none fits into the time")
    by_configuration = {}
    for planned in chosen.left_out:
        by_configuration.setdefault(planned.network.configuration, []).append(planned)
    lines += ["left out"] * bool(by_configuration)
    for configuration, several in by_configuration.items():
        seeds = f"{len(several)} seed{'s' * (len(several) > 1)}"
        lines.append(f"  {plan.title_of(configuration):<30}{seeds:>20}{duration(several[0].seconds):>12}")
    after = f"then {duration(chosen.analysis)} of dumps, CKA, probes, figures and report"
    whole = f"{duration(chosen.seconds)} of {duration(max(seconds, 0))}"
    return [*lines, f"{rates.at_once} at a time, {after}: {whole}"]


def write(path, study):
    """Write the config of a study; a file with the same content stays, and so the report stays up to date."""
    import yaml

    text = "# Made by scripts/run_within.py.\n" + yaml.safe_dump(
        study.dump(), sort_keys=False, default_flow_style=None, width=110
    )
    if path.exists() and path.read_text() == text:
        return
    with files.replacing(path) as unfinished:
        unfinished.write_text(text)


if __name__ == "__main__":
    command.run(main)
