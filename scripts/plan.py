"""Plan a study before anything of it runs: jobs, training time, disk and memory.

All jobs of the study are counted, whatever is there already. Operations are counted in the networks themselves: two
for a multiply-add, three forward passes for a training step, and the evaluations. Times are those of trainings one
after another, without the start of programs. The throughput is given with --throughput, or measured with a few training
steps of the narrowest and of the widest network, in about ten seconds. A GPU computes faster in wide networks than in
narrow ones, so --throughput also takes a rate for each of several widths: WIDTH:GFLOPS, where WIDTH is the width
multiplier. Widths between two of them follow a power law, and those beyond have the rate of the nearest one.

Examples:
  python scripts/plan.py --configfile config/demo.yaml --throughput 40
  python scripts/plan.py --configfile config/cifar10.yaml --throughput 1:40000 4:180000 10:293000
"""

import argparse
import collections

from widedeep.runtime import command
from widedeep.runtime.units import duration, operations, size


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--configfile", required=True, metavar="FILE", help="config of the study")
    parser.add_argument(
        "--throughput",
        type=rate,
        nargs="+",
        metavar="GFLOPS",
        help="of training, in 10^9 operations a second: one number for all widths, or WIDTH:GFLOPS for each of several "
        "(default: measured)",
    )
    return command.start(parser, argv)


def rate(text):
    """Parse `GFLOPS` or `WIDTH:GFLOPS`, for argparse.

    Returns:
        (width multiplier, 10^9 operations a second); the width is None if the text has none.

    Raises:
        argparse.ArgumentTypeError: a number is missing, or is not a finite one above 0.
    """
    width, colon, gflops = text.rpartition(":")
    try:
        return positive_float(width) if colon else None, positive_float(gflops)
    except (ValueError, argparse.ArgumentTypeError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not GFLOPS or WIDTH:GFLOPS, as 40000 or 1:40000; both numbers are finite and above 0"
        ) from None


def positive_float(text):
    """Parse the text of an option, for argparse.

    Raises:
        argparse.ArgumentTypeError: it is not a finite number above 0.
    """
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def main(argv=None):
    args = parse(argv)
    given = given_rates(args.throughput or [])
    from widedeep.study import checks

    study = checks.read(args.configfile)
    from widedeep.planning.costs import Costs  # torch is imported to count, and the config may be wrong
    from widedeep.planning.images import images_of
    from widedeep.study.jobs import jobs_of

    images = images_of(study)
    checks.check_examples(study, images.train_examples, images.test_examples)
    costs, jobs = Costs(study, images), jobs_of(study)
    speeds, source = given or measured_rates(study, images, args.threads)
    networks, configurations = len(study.networks), len(study.configurations)
    print(f"{args.configfile}: {networks} networks of {configurations} configurations on {described(study, images)}")
    print("\n" + "\n".join(table_of_jobs(jobs)))
    print("\n" + "\n".join(table_of_costs(costs, jobs, speeds)))
    print("\n" + "\n".join(table_of_memory(costs, jobs)))
    print("\nthroughput: " + source)
    print("\n".join(totals(costs, jobs, speeds)))


def given_rates(rates):
    """Check the rates of --throughput.

    Args:
        rates: list of pairs from `rate`.

    Returns:
        (dict from width multipliers to operations a second, a text on them); None if the list is empty.

    Raises:
        UserError: several rates are for the same width, or for all widths.
    """
    from widedeep.runtime.errors import UserError

    if not rates:
        return None
    if len(rates) == 1 and rates[0][0] is None:
        ((_, gflops),) = rates
        return {1.0: gflops * 1e9}, f"{gflops:,g} GFLOP/s, as given"
    speeds = {}
    for width, gflops in rates:
        if width is None:
            raise UserError(
                f"--throughput: {gflops:g} stands beside other rates without its width; give one number for all "
                "widths, or WIDTH:GFLOPS for each of several, as 1:40000 10:293000."
            )
        if width in speeds:
            raise UserError(f"--throughput: the width {width:g} has two rates; give one rate for each width.")
        speeds[width] = gflops * 1e9
    each = ", ".join(f"{gflops:,g} GFLOP/s ({width:g}x)" for width, gflops in sorted(rates))
    return speeds, f"{each}, as given"


def measured_rates(study, images, threads):
    """Measure the rates of this machine for the narrowest and the widest network.

    Returns:
        (dict from width multipliers to operations a second, a text on where they come from)
    """
    from widedeep.networks.devices import device_named
    from widedeep.planning import throughput

    device, recipe = device_named("auto"), study.training.recipe
    chosen = {one.width: one for one in throughput.smallest_and_largest(study.configurations, images)}
    speeds = {width: throughput.alone(one, images, recipe, device) for width, one in chosen.items()}
    found = " and ".join(f"{speeds[width] / 1e9:,.0f} GFLOP/s ({title_of(one)})" for width, one in chosen.items())
    return speeds, f"{found}, measured now on {device.type} with --threads {threads}"


def described(study, images):
    """The data set in words: `cifar10 (50,000 + 10,000 images of 3 x 32 x 32)`."""
    shape = " x ".join(map(str, images.shape))
    return f"{study.dataset.name} ({images.train_examples:,} + {images.test_examples:,} images of {shape})"


def table_of_jobs(jobs):
    """Lines of a table: each rule and its number of jobs."""
    counts = collections.Counter(job.rule for job in jobs)
    return [f"{'jobs':<32}{'number':>10}", *(f"  {rule:<30}{count:>10,}" for rule, count in counts.items())]


def table_of_costs(costs, jobs, speeds):
    """Lines of a table: for each kind of work and file the smallest, the largest, their number, and the sum."""
    from widedeep.formats.dump_options import VALUE_BYTES
    from widedeep.planning import file_sizes

    study = costs.study
    use = dict.fromkeys(("gram", *VALUE_BYTES), "") | {
        study.dumps.form: ", kept" if study.dumps.keep else ", deleted once read"
    }
    sizes = {network: costs.size_of(network.configuration) for network in study.networks}
    rows = {
        "training": (operations, [costs.training(network) for network in study.networks]),
        "training, one at a time": (duration, [seconds_of(costs, network, speeds) for network in study.networks]),
        "weights": (size, [found.weights for found in sizes.values()]),
        **{
            f"dumps {form}{use[form]}": (size, [costs.dump_bytes(network, form) for network in study.networks])
            for form in use
        },
        "pca.h5": (size, [file_sizes.components(found, costs.dumped) for found in sizes.values()]),
        "predictions.h5": (size, [file_sizes.predictions(costs.images)] * len(sizes)),
        "cka.h5": (size, [file_sizes.comparison(found.layers, found.layers) for found in sizes.values()]),
    }
    if pairs := pairs_sizes(costs, jobs):
        rows["files of pairs"] = (size, pairs)
    if measures := measures_sizes(costs, jobs):
        rows["files of measures"] = (size, measures)
    lines = [f"{'cost':<32}{'smallest':>12}{'largest':>12}{'number':>10}{'all':>14}"]
    for name, (words, values) in rows.items():
        numbers = f"{words(min(values)):>12}{words(max(values)):>12}{len(values):>10,}{words(sum(values)):>14}"
        lines.append(f"  {name:<30}{numbers}")
    return lines


def pairs_sizes(costs, jobs):
    """list of the bytes of each file of pairs, which holds all pairs of its larger seed."""
    from widedeep.planning import file_sizes

    found = []
    for job in jobs:
        if job.rule == "compute_pairs":
            first, second = (network.configuration for network in job.networks)
            pairs = costs.study.seed_pairs(first, second, most=None)
            number = sum(max(pair) == job.networks[0].seed for pair in pairs)
            layers = (costs.size_of(configuration).layers for configuration in (first, second))
            found.append(number * file_sizes.comparison(*layers))
    return found


def measures_sizes(costs, jobs):
    """list of the bytes of each file of a further measure."""
    from widedeep.planning import file_sizes

    layers = [costs.measured_layers(job) for job in jobs if job.rule == "compute_measure"]
    return [file_sizes.comparison(number, number, measures=1) for number in layers]


def dumps_of_pairs(costs, jobs):
    """list of the bytes of all dumps that each job of pairs reads."""
    reads = (costs.pairs_read(job) for job in jobs if job.rule == "compute_pairs")
    return [sum(costs.dump_bytes(network) for network in {*first, *second}) for first, second in reads]


def table_of_memory(costs, jobs):
    """Lines of a table: each rule and the memory of its largest job."""
    lines = [f"{'memory of the largest job':<32}{'about':>12}"]
    return lines + [f"  {rule:<30}{size(largest):>12}" for rule, largest in memory_of(costs, jobs).items()]


def memory_of(costs, jobs):
    """dict from each rule with large data to the bytes of memory of its largest job."""
    largest = {}
    for job in jobs:
        if needed := costs.memory(job):
            largest[job.rule] = max(largest.get(job.rule, 0), needed)
    return largest


def totals(costs, jobs, speeds):
    """Last lines: the costs of the whole study, and its longest training."""
    from widedeep.planning import file_sizes

    study = costs.study
    largest = max(study.networks, key=lambda network: seconds_of(costs, network, speeds))
    seconds = sum(seconds_of(costs, network, speeds) for network in study.networks)
    dumps = [costs.dump_bytes(network) for network in study.networks]
    kept = sum(pairs_sizes(costs, jobs)) + sum(measures_sizes(costs, jobs))
    for network in study.networks:
        found = costs.size_of(network.configuration)
        kept += found.weights + file_sizes.components(found, costs.dumped) + file_sizes.predictions(costs.images)
        kept += file_sizes.comparison(found.layers, found.layers)
    if study.dumps.keep:
        disk = size(kept + sum(dumps))
    else:
        at_once = max([max(dumps), *dumps_of_pairs(costs, jobs)])
        disk = f"{size(kept)}, and for a while {size(at_once)} to {size(sum(dumps))} of dumps,"
    rule, memory = max(memory_of(costs, jobs).items(), key=lambda item: item[1])
    return [
        f"total: {len(jobs):,} jobs",
        f"       {duration(seconds)} of training, one at a time; the longest "
        f"{duration(seconds_of(costs, largest, speeds))} ({title_of(largest.configuration)})",
        f"       {disk} on disk",
        f"       {size(memory)} of memory for the largest job ({rule})",
    ]


def seconds_of(costs, network, speeds):
    """Seconds of the training of a names.Network."""
    from widedeep.planning import throughput

    return costs.training(network) / throughput.at_width(network.configuration.width, speeds)


def title_of(configuration):
    """Title of a names.Configuration: `ResNet-14 6x, 25% of data`."""
    from dataclasses import asdict

    from widedeep.networks.families import configuration_title

    return configuration_title(asdict(configuration))


if __name__ == "__main__":
    command.run(main)
