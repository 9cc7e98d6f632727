"""What a study costs, before anything of it runs: jobs, training time, disk and memory.

The jobs are those of a dry run of Snakemake, as if nothing were there yet. Operations are counted in the networks
themselves: two a multiply-add of each convolution and dense layer, three forward passes a training step, and the
evaluations. Time is that of one training after the other, without the seconds in which programs start, at a throughput
that is given (--throughput) or measured with a few real training steps of the narrowest and of the widest network,
about ten seconds in all.

Example:
  python scripts/plan.py --configfile config/demo.yaml --throughput 40
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from widedeep import command

ROOT = Path(__file__).resolve().parents[1]


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--configfile", required=True, metavar="FILE", help="of the study")
    parser.add_argument(
        "--throughput", type=positive_float, metavar="GFLOPS", help="of training, in 10^9 operations a second"
    )
    return command.start(parser, argv)


def positive_float(text):
    """The number in an option's text, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is not a finite number above 0.
    """
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def main(argv=None):
    args = parse(argv)
    from widedeep import config as study_config

    config = study_config.read(args.configfile)
    from widedeep import costs  # of torch, and the config may be wrong

    images = costs.images_of(config)
    study = costs.of_study(config, images)
    pairs = costs.pairs_files(config, study)
    jobs = jobs_of(args.configfile)
    speeds, source = throughputs(args, config, study, images)
    networks = sum(len(cost.seeds) for cost in study)
    print(f"{args.configfile}: {networks} networks of {len(study)} configurations on {images_in_words(config, images)}")
    print("\n" + "\n".join(table_of_jobs(jobs)))
    print("\n" + "\n".join(table_of_costs(config, study, pairs, speeds)))
    print("\n" + "\n".join(table_of_memory(study, pairs)))
    print("\nthroughput: " + source)
    print("\n".join(totals(config, study, pairs, speeds, jobs)))


def jobs_of(configfile):
    """How many jobs of each rule the whole study has, in Snakemake's order, from a dry run.

    Raises:
        UserError: Snakemake refuses the study.
    """
    from widedeep.errors import UserError

    snakemake = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--configfile", configfile]
    dry_run = [*snakemake, "-n", "--forceall", "--quiet", "rules"]
    said = subprocess.run(dry_run, capture_output=True, text=True)
    counts = {rule: int(count) for rule, count in re.findall(r"^([\w-]+) +(\d+)$", said.stdout, re.MULTILINE)}
    if said.returncode or "total" not in counts:
        raise UserError(f"{configfile}: Snakemake does not plan it; `snakemake --configfile {configfile} -n` says why.")
    # The rule `all` only names what is wanted.
    return {rule: count for rule, count in counts.items() if rule not in ("all", "total")}


def throughputs(args, config, study, images):
    """Operations a second by width multiplier, and where they are from, in words."""
    if args.throughput:
        return {1.0: args.throughput * 1e9}, f"{args.throughput:g} GFLOP/s, as given"
    from widedeep import costs, models

    device, recipe = models.device_named("auto"), costs.recipe_of(config)
    chosen = {cost.model.width: cost for cost in costs.smallest_and_largest(study)}
    speeds = {width: costs.measured_throughput(cost, images, recipe, device) for width, cost in chosen.items()}
    found = " and ".join(f"{speeds[width] / 1e9:.3g} GFLOP/s ({name_of(cost)})" for width, cost in chosen.items())
    return speeds, f"{found}, measured now on {device.type} with --threads {args.threads}"


def images_in_words(config, images):
    """`cifar10 (50,000 + 10,000 images of 3 x 32 x 32)`."""
    shape = " x ".join(map(str, images.shape))
    return f"{config['dataset']['name']} ({images.train_examples:,} + {images.test_examples:,} images of {shape})"


def table_of_jobs(jobs):
    """Lines: a rule and its jobs each."""
    lines = [f"{'jobs':<32}{'number':>10}"]
    return lines + [f"  {rule:<30}{count:>10,}" for rule, count in jobs.items()]


def table_of_costs(config, study, pairs, speeds):
    """Lines: for each kind of work and file the smallest and the largest of one network, their number, and all."""
    form, keep = config["dumps"]["form"], config["dumps"]["keep"]
    use = dict.fromkeys(study[0].dumps, "") | {form: ", kept" if keep else ", deleted once read"}
    rows = {
        "training": (operations, per_network(study, lambda cost: cost.training)),
        "training, one at a time": (duration, per_network(study, lambda cost: seconds_of(cost, speeds))),
        "weights": (size, per_network(study, lambda cost: cost.weights)),
        **{
            f"dumps {name}{use[name]}": (size, per_network(study, lambda cost, name=name: cost.dumps[name]))
            for name in use
        },
        "pca.h5": (size, per_network(study, lambda cost: cost.components)),
        "predictions.h5": (size, per_network(study, lambda cost: cost.predictions)),
        "cka.h5": (size, per_network(study, lambda cost: cost.cka)),
    }
    if pairs:
        rows["files of pairs"] = (size, [file.size for file in pairs])
    lines = [f"{'cost':<32}{'smallest':>12}{'largest':>12}{'number':>10}{'all':>14}"]
    for name, (words, values) in rows.items():
        numbers = f"{words(min(values)):>12}{words(max(values)):>12}{len(values):>10,}{words(sum(values)):>14}"
        lines.append(f"  {name:<30}{numbers}")
    return lines


def table_of_memory(study, pairs):
    """Lines: a rule and what its largest job needs."""
    lines = [f"{'memory of the largest job':<32}{'about':>12}"]
    return lines + [f"  {rule:<30}{size(largest):>12}" for rule, largest in memory_of(study, pairs).items()]


def memory_of(study, pairs):
    """Bytes of the largest job of each rule that needs much."""
    largest = {}
    for cost in study:
        for rule, needed in cost.memory.items():
            largest[rule] = max(largest.get(rule, 0), needed)
    return largest | ({"compute_pairs": max(file.memory for file in pairs)} if pairs else {})


def totals(config, study, pairs, speeds, jobs):
    """The last lines: what the study costs as a whole, and its largest training."""
    largest = max(study, key=lambda cost: seconds_of(cost, speeds))
    hours = sum(per_network(study, lambda cost: seconds_of(cost, speeds)))
    dumps = per_network(study, lambda cost: cost.dumps[config["dumps"]["form"]])
    kept = sum(per_network(study, lambda cost: cost.weights + cost.components + cost.predictions + cost.cka))
    kept += sum(file.size for file in pairs)
    if config["dumps"]["keep"]:
        disk = size(kept + sum(dumps))
    else:
        at_once = max([max(dumps), *(file.dumps_read for file in pairs)])
        disk = f"{size(kept)}, and for a while {size(at_once)} to {size(sum(dumps))} of dumps,"
    rule, memory = max(memory_of(study, pairs).items(), key=lambda item: item[1])
    return [
        f"total: {sum(jobs.values()):,} jobs",
        f"       {duration(hours)} of training, one at a time; the longest {duration(seconds_of(largest, speeds))} "
        f"({name_of(largest)})",
        f"       {disk} on disk",
        f"       {size(memory)} of memory for the largest job ({rule})",
    ]


def per_network(study, what):
    """what(cost) of each network: of a configuration once a seed."""
    return [what(cost) for cost in study for _ in cost.seeds]


def seconds_of(cost, speeds):
    """Seconds of one training."""
    from widedeep import costs

    return cost.training / costs.throughput_at(cost.model.width, speeds)


def name_of(cost):
    """`ResNet-14 6x, 25% of data`."""
    from dataclasses import asdict

    from widedeep import metrics

    return metrics.configuration_name(asdict(cost.model))


def size(value):
    """Bytes in words, as `5.3 GB`."""
    return scaled(value, ["B", "kB", "MB", "GB", "TB", "PB"])


def operations(value):
    """Floating-point operations in words, as `5.3 EFLOP`."""
    return scaled(value, [f"{prefix}FLOP" for prefix in ("", "k", "M", "G", "T", "P", "E", "Z")])


def scaled(value, units):
    """A number with the largest of its units, each 1000 times the one before, as leaves it at least 1."""
    for unit in units[:-1]:
        # What rounds to 1000 goes to the next unit.
        if value < 999.5:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} {units[-1]}"


def duration(seconds):
    """Seconds in words, as `5.3 min`; 1,240 h stay hours, the unit in which computers are lent."""
    if seconds < 60:
        return f"{seconds:.2g} s"
    if seconds < 3600:
        return f"{seconds / 60:.2g} min"
    return f"{seconds / 3600:.2g} h" if seconds < 36e3 else f"{seconds / 3600:,.0f} h"


if __name__ == "__main__":
    command.run(main)
