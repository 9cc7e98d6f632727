"""Seeds of one configuration that train in one process, as on a GPU, in a study: each keeps its own job."""

import re

import pytest
import study

MODEL = "digits-resnet8-w1-f100"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A study whose CPU trains seeds side by side."""
    made = study.Study.new(tmp_path_factory.mktemp("together"))
    made.edit("scripts/widedeep/training/companions.py", 'SHARED = ("cuda",)', 'SHARED = ("cpu",)')
    return made


def train(made, seeds):
    """Train these seeds of the smallest network; return the jobs of Snakemake."""
    made.edit_config(lambda config: config["grid"][0].update(seeds=list(seeds)))
    targets = [f"results/tiny/models/{MODEL}/seed{seed}/model.safetensors" for seed in seeds]
    said = made.snakemake(*targets, "--keep-going", check=False)
    return study.jobs_in(said.stdout + said.stderr).get("train", 0)


def trainings_in(made, seed):
    """The networks that the job of a seed has trained, and whether it took its own from another job."""
    log = (made.results / f"logs/{MODEL}/seed{seed}/train.log").read_text()
    return re.findall(r"/seed(\d): test accuracy", log), "is trained already" in log


def folders(made):
    return sorted(path.name for path in (made.results / f"models/{MODEL}").iterdir())


@pytest.mark.whole
def test_seeds_that_are_there_are_outputs_of_no_job_again(shared):
    assert train(shared, [1, 2, 3]) == 3
    trained = {seed: trainings_in(shared, seed) for seed in (1, 2, 3)}
    # Two jobs at a time: the first takes along the others, and each of these finds its own.
    assert sorted(len(networks) for networks, _ in trained.values()) == [0, 0, 3]
    assert sum(adopted for _, adopted in trained.values()) == 2
    weights = {seed: shared.results / f"models/{MODEL}/seed{seed}/model.safetensors" for seed in (1, 2, 3, 4)}
    before = {seed: weights[seed].stat().st_mtime_ns for seed in (1, 2, 3)}
    # One seed more.
    assert train(shared, [1, 2, 3, 4]) == 1
    assert trainings_in(shared, 4) == (["4"], False)
    # One that was deleted.
    content = weights[2].read_bytes()
    weights[2].unlink()
    assert train(shared, [1, 2, 3, 4]) == 1
    assert trainings_in(shared, 2)[0][-1:] == ["2"]
    assert weights[2].read_bytes() == content
    assert {seed: weights[seed].stat().st_mtime_ns for seed in (1, 3)} == {seed: before[seed] for seed in (1, 3)}
    assert train(shared, [1, 2, 3, 4]) == 0
    assert folders(shared) == ["seed1", "seed2", "seed3", "seed4"]
    left = {path.name for path in (shared.results / f"models/{MODEL}").rglob("*") if path.is_file()}
    assert left == {"model.safetensors", "history.csv", "metrics.json", "provenance.json"}
