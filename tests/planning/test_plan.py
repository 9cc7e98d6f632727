"""What scripts/plan.py says before a study runs."""

import collections
import re
import subprocess
import sys
from pathlib import Path

import blobs_study
import plan
import pytest
import small
import study
import yaml

from widedeep.planning import file_sizes, throughput
from widedeep.planning.costs import Costs
from widedeep.planning.images import images_of
from widedeep.runtime.errors import UserError
from widedeep.runtime.units import duration, size
from widedeep.study import checks
from widedeep.study.jobs import jobs_of

TINY = "tests/workflow/tiny.yaml"


def run(*words, cwd=None):
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, cwd=cwd)


def costs_of(path):
    found = checks.read(path)
    return Costs(found, images_of(found))


def of_depth(costs, depth, width=1):
    """A network of the study."""
    return next(n for n in costs.study.networks if (n.configuration.depth, n.configuration.width) == (depth, width))


def written(tmp_path, content):
    path = tmp_path / "study.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def tiny(**changes):
    """The content of the tiny study with some sections changed."""
    content = yaml.safe_load(Path(TINY).read_text())
    return {**content, **{key: {**content[key], **section} for key, section in changes.items()}}


def test_jobs_are_those_that_snakemake_plans_where_nothing_is_there(tmp_path):
    """Also where a part is."""
    made = study.Study.new(tmp_path)
    expected = made.jobs_of_dry_run()
    assert dict(collections.Counter(job.rule for job in jobs_of(checks.read(TINY)))) == expected
    made.snakemake("data/digits/dataset.h5")
    assert "download" not in made.jobs_of_dry_run()
    result = run("scripts/plan.py", "--configfile", study.CONFIG, "--throughput", 1, cwd=tmp_path)
    assert "  download                               1\n" in result.stdout
    assert f"total: {sum(expected.values())} jobs" in result.stdout


@pytest.mark.parametrize(
    "dataset",
    [
        {"name": "cifar10", "image_size": 16},
        {"name": "cifar100"},
        {"name": "flowers", "folder": "images", "image_size": 32},
    ],
)
def test_the_data_set_is_looked_for_where_the_workflow_makes_it(tmp_path, dataset):
    path = written(tmp_path, {**blobs_study.content(), "dataset": dataset})
    said = run("-m", "snakemake", "--configfile", path, "-n", "--forceall").stdout
    assert f"Making {checks.read(path).places.data} from verified images" in said


def test_without_a_given_throughput_the_narrowest_and_the_widest_network_are_measured(capsys, monkeypatch):
    measured = []

    def fake(configuration, _images, recipe, _device):
        measured.append((configuration.depth, configuration.width, recipe.epochs))
        return 1e9 * configuration.width

    monkeypatch.setattr(throughput, "alone", fake)
    plan.main(["--configfile", TINY])
    assert measured == [(8, 1, 1), (8, 2, 1)]
    assert "throughput: 1 GFLOP/s (ResNet-8 1x) and 2 GFLOP/s (ResNet-8 2x), measured" in capsys.readouterr().out


def test_the_plan_of_a_study_in_words(capsys):
    plan.main(["--configfile", TINY, "--throughput", "0.5"])
    said = capsys.readouterr().out
    assert said.startswith(f"{TINY}: 6 networks of 3 configurations on digits (1,437 + 360 images of 1 x 8 x 8)\n")
    costs = costs_of(TINY)
    seconds = [costs.training(network) / 0.5e9 for network in costs.study.networks]
    assert f"{duration(sum(seconds))} of training, one at a time" in said
    assert f"the longest {duration(max(seconds))} (ResNet-8 2x)" in said
    assert "throughput: 0.5 GFLOP/s" in said
    for row in ("training", "weights", "dumps gram, kept", "dumps raw", "dumps raw16", "pca.h5", "files of pairs"):
        assert f"\n  {row} " in said
    tables = [block.splitlines() for block in said.split("\n\n")[1:4]]
    assert all(len({len(line) for line in lines}) == 1 for lines in tables)


def test_dumps_that_are_deleted_are_no_part_of_what_is_kept(capsys, tmp_path):
    path = written(tmp_path, tiny(dumps={"keep": False}))
    plan.main(["--configfile", str(path), "--throughput", "1"])
    said = capsys.readouterr().out
    assert "dumps gram, deleted once read" in said
    costs = costs_of(path)
    eight, fourteen = (costs.dump_bytes(of_depth(costs, depth)) for depth in (8, 14))
    # The pairs of both configurations read two networks of each.
    assert f"for a while {size(2 * (eight + fourteen))} to " in said


def test_a_file_of_pairs_holds_all_pairs_of_its_larger_seed():
    """Figure F draws 20 pairs; the file of the last one holds the rest of its seed's too (scripts/compute_pairs.py)."""
    content = blobs_study.content()
    content["grid"][0]["seeds"] = list(range(1, 9))
    costs = Costs(checks.checked(content), blobs_study.IMAGES)
    jobs = jobs_of(costs.study)
    layers = costs.size_of(*costs.study.configurations).layers
    of_a_pair = file_sizes.comparison(layers, layers)
    assert [bytes_ / of_a_pair for bytes_ in plan.pairs_sizes(costs, jobs)] == [1, 2, 3, 4, 5, 6]
    assert plan.dumps_of_pairs(costs, jobs)[-1] == 7 * costs.dump_bytes(costs.study.networks[0])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, ""),
        ("", "the config"),
        ("study: [", ""),
        ({**blobs_study.content(), "datasett": {}}, "config key datasett "),
        (
            {**blobs_study.content(), "grid": [{"depths": [9], "widths": [1], "seeds": [1]}]},
            "config key grid[0].depths",
        ),
    ],
    ids=["no file", "empty", "cut off", "unknown key", "impossible depth"],
)
def test_a_bad_config_is_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "study.yaml" if content is None else written(tmp_path, content)
    result = run("scripts/plan.py", "--configfile", path)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {path}: {sentence}")
    assert len(result.stderr.splitlines()) == 1
    assert not result.stdout


@pytest.mark.parametrize(("section", "value", "found"), [("training", 51, "50 .*blobs"), ("dumps", 41, "40 .*blobs")])
def test_batches_that_a_data_set_of_ones_own_cannot_fill_are_one_sentence(tmp_path, monkeypatch, section, value, found):
    content = blobs_study.content()
    content[section]["batch_size"] = value
    path = written(tmp_path, content)
    monkeypatch.chdir(tmp_path)
    small.write_dataset(tmp_path / "data/blobs-8px/dataset.h5")
    with pytest.raises(UserError, match=rf"config key {section}\.batch_size is {value}, .*{found}"):
        plan.main(["--configfile", str(path), "--throughput", "1"])


def totals_with(capsys, path, *rates):
    """(line on the throughput, line on the training) of a plan with these rates."""
    plan.main(["--configfile", str(path), "--throughput", *rates])
    lines = capsys.readouterr().out.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("throughput: "))
    return lines[first], lines[first + 2]


def test_each_width_is_planned_at_its_own_rate(capsys):
    said, training = totals_with(capsys, TINY, "2:0.25", "1:0.5")
    costs = costs_of(TINY)
    seconds = [
        costs.training(one) / (0.5e9 if one.configuration.width == 1 else 0.25e9) for one in costs.study.networks
    ]
    assert said == "throughput: 0.5 GFLOP/s (1x), 0.25 GFLOP/s (2x), as given"
    assert f"{duration(sum(seconds))} of training, one at a time" in training


def test_a_rate_of_one_width_or_equal_ones_of_several_hold_for_all(capsys):
    plans = {totals_with(capsys, TINY, *rates)[1] for rates in (["0.5"], ["4:0.5"], ["1:0.5", "10:0.5"])}
    assert len(plans) == 1


def test_widths_between_two_rates_follow_the_power_law(capsys, tmp_path):
    content = tiny()
    content["grid"] = [{"depths": [8], "widths": [2], "seeds": [1]}]
    path = written(tmp_path, {**content, "measures": [], "figures": {}})
    # 10 and 40 GFLOP/s at the widths 1 and 4 make 20 at 2.
    assert totals_with(capsys, path, "1:0.01", "4:0.04")[1] == totals_with(capsys, path, "0.02")[1]


def test_the_plan_of_the_papers_grid_with_the_rates_of_its_documentation(capsys):
    """README.md and the config quote it."""
    rates = ["1:40000", "4:180000", "10:293000"]
    _, training = totals_with(capsys, "config/cifar10.yaml", *rates)
    (hours,) = re.findall(r"(\d+):\d\d:\d\d of training", training)
    assert 80 < int(hours) < 100
    for page in ("README.md", "config/cifar10.yaml"):
        text = " ".join(Path(page).read_text().replace("#", " ").split())
        assert "--throughput " + " ".join(rates) in text
        assert f"{hours} hours" in text


@pytest.mark.parametrize(
    "text", ["0", "-1", "inf", "nan", "fast", "", ":5", "1:", "0:5", "1:-5", "nan:5", "wide:5", "1:2:3", "1:fast"]
)
def test_only_positive_throughputs_are_taken(text, capsys):
    with pytest.raises(SystemExit):
        plan.parse(["--configfile", TINY, "--throughput", text])
    assert f"--throughput: {text!r} is not " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rates", "named"),
    [
        (["1:40", "4:180", "1.0:50"], "width 1 "),
        (["40", "4:180"], "40 stands .*WIDTH:GFLOPS"),
        (["1:40", "180"], "180 stands .*WIDTH:GFLOPS"),
        (["40", "180"], "40 stands .*WIDTH:GFLOPS"),
    ],
)
def test_rates_that_contradict_each_other_are_one_sentence(rates, named):
    with pytest.raises(UserError, match=rf"^--throughput: .*{named}"):
        plan.main(["--configfile", TINY, "--throughput", *rates])
