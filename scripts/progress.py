"""Show the progress of a study: jobs done, running, failed and waiting by stage, running trainings, remaining time.

It reads the results folder and the logs, and writes nothing. So it works while the study runs, from another terminal or
another node that sees the files, whether Snakemake was started by scripts/run_study.py or by hand. Remaining times
follow from the study's own finished jobs, scaled by operations for sizes of which none has finished. Files that a
change of config or code has made outdated count as done; `snakemake -n` lists them.

Example (in the folder with data and results, while the study runs or after it):
  python scripts/progress.py --configfile config/demo.yaml
"""

import collections

from widedeep.runtime import command
from widedeep.runtime.units import duration
from widedeep.study import places


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--configfile", default=places.DEMO, help="config of the study (default: the demo)")
    return command.start(parser, argv)


def main(argv=None):
    args = parse(argv)
    from widedeep.planning import progress, remaining
    from widedeep.study import checks

    study = checks.read(args.configfile)
    states = progress.states(study)
    left = remaining.estimates(study, states)
    print(f"{study.places.results}, the study of {args.configfile}\n")
    parts = [table(states, left), trainings(states), others(states), stopped(states), failures(states)]
    print("\n\n".join("\n".join(part) for part in [*parts, ending(states, left)] if part))


def table(states, left):
    """Lines of a table: each stage with its jobs by state, and the hours that are left of it, one job at a time."""
    counts = collections.defaultdict(collections.Counter)
    for state in states:
        counts[state.job.rule][state.name] += 1
    hours, unknown = collections.Counter(), set()
    for state, estimate in left:
        if estimate.seconds is None:
            unknown.add(state.job.rule)
        else:
            hours[state.job.rule] += estimate.seconds / 3600
    width = 2 + max(map(len, counts))
    lines = [f"{'stage':<{width}}" + "".join(f"{word:>9}" for word in NAMES) + f"{'hours left':>15}"]
    for rule, count in counts.items():
        words = "not known yet" if rule in unknown else f"{hours[rule]:,.2f}" if count.total() > count["done"] else "-"
        lines.append(f"{rule:<{width}}" + "".join(f"{count[name]:>9,}" for name in NAMES) + f"{words:>15}")
    total = sum(counts.values(), collections.Counter())
    return [*lines, f"{'all':<{width}}" + "".join(f"{total[name]:>9,}" for name in NAMES)]


NAMES = ("done", "running", "failed", "waiting")


def trainings(states):
    """Lines of a table: each running training, its position, and the age of this report."""
    running = [state for state in states if state.name == "running" and state.job.rule == "train"]
    lines = []
    for state in running:
        if state.position:
            now = state.position
            where = f"{now['epoch']:>7}/{now['epochs']:<5}{now['loss']:>9.3f}{now['accuracy']:>10.1%}"
        else:
            where = f"{'starts':>13}{'':>19}"
        lines.append(f"  {state.job.name:<45}{where}{duration(state.age):>12} ago")
    head = f"{'running trainings':<47}{'epoch':>13}{'loss':>9}{'accuracy':>10}{'news':>16}"
    return [head, *lines] if lines else []


def others(states):
    """Lines of a table: each other running job, and the time since its last sign of life, for most its start."""
    running = [state for state in states if state.name == "running" and state.job.rule != "train"]
    lines = [f"  {state.job.name:<77}{duration(state.age):>12} ago" for state in running]
    return [f"{'other running jobs':<79}{'news':>16}", *lines] if lines else []


def stopped(states):
    """Lines: each waiting job that has a checkpoint."""
    lines = [
        f"  {state.job.name} from epoch {state.checkpoint}"
        for state in states
        if state.name == "waiting" and state.checkpoint
    ]
    return ["waiting, with a checkpoint to go on from", *lines] if lines else []


def failures(states):
    """Lines: each failed job, the path of its log, and the last line of the log."""
    lines = []
    for state in states:
        if state.name == "failed":
            said = state.last_line or "(nothing: it was killed, perhaps for its memory or time)"
            lines += [f"  {state.job.name}", f"    {state.log or 'no log'}", f"    {said}"]
    return ["failed", *lines] if lines else []


def ending(states, left):
    """Lines: the remaining time of the study, and how it was estimated."""
    if not left:
        return ["Finished: all jobs are done."]
    known = [(state, estimate) for state, estimate in left if estimate.seconds is not None]
    unknown = collections.Counter(state.job.rule for state, estimate in left if estimate.seconds is None)
    if not known:
        return ["left: not known yet; no job of an unfinished stage has finished."]
    from widedeep.planning import remaining

    seconds = [estimate.seconds for _, estimate in known]
    running = sum(state.name == "running" for state in states)
    pace = f"{running} at a time, as many as run now" if running else "one at a time (none runs now)"
    until_end = remaining.at_once(seconds, max(running, 1))
    scaled = sum(estimate.scaled for _, estimate in known)
    lines = [
        f"left: about {duration(until_end)}: {duration(sum(seconds))} of work, {pace}.",
        f"Of {len(known):,} jobs, {len(known) - scaled:,} take as long as finished ones of the same configuration, "
        f"{scaled:,} are scaled by operations.",
    ]
    if unknown:
        rules = ", ".join(f"{count:,} {rule}" for rule, count in unknown.items())
        lines.append(f"Not included, since no job of their stage has finished yet: {rules}.")
    return lines


if __name__ == "__main__":
    command.run(main)
