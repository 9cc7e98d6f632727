"""The programs of benchmarks/ run, and add up what they are given; what they measure is not tested."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import oracles
import pytest
import torch

from widedeep.study import checks
from widedeep.study.jobs import jobs_of

BENCHMARKS = Path("benchmarks").resolve()
TINY = Path("tests/workflow/tiny.yaml").resolve()
sys.path.insert(0, str(BENCHMARKS))
import contestants  # noqa: E402
import dag  # noqa: E402
import disk  # noqa: E402
import engine  # noqa: E402
import load  # noqa: E402
import memory  # noqa: E402
import overhead  # noqa: E402
import pairs  # noqa: E402
import startup  # noqa: E402
import task  # noqa: E402
import training  # noqa: E402
import traps  # noqa: E402
import verdicts  # noqa: E402

OURS = [contestant for contestant in contestants.CONTESTANTS if contestant.run is contestants.ours]


def test_every_python_notes_what_it_did(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import decimal, time\nwhile time.process_time() < 0.5: pass\n")
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS / "clock"), "CLOCK_NOTES": str(tmp_path)}
    subprocess.run([sys.executable, program], env=environment, check=True)
    (note,) = (json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    assert note["program"] == "program"
    assert note["interpreter"] > 0 < note["imports"]
    assert note["seconds"] >= 0.5 > note["interpreter"] + note["imports"]


def test_shares_of_the_processor_seconds():
    note = {"interpreter": 1, "imports": 2, "seconds": 10}
    programs = ("train", "train", "compute_cka", "plot_residual_blocks", "snakemake", "run_study")
    notes = [{"program": name, **note} for name in programs]
    said = "\n".join(overhead.table_of_notes(30, 80, 2, notes))
    assert "train                            2          2.0          4.0         14.0         20.0" in said
    for words in (
        "work of trainings, dumps, probes, CKA      21.0 s   26.2%",
        "work of the other stages                    7.0 s    8.8%",
        "start-up of the stages                     12.0 s   15.0%",
        "Snakemake and run_study                    20.0 s   25.0%",
        "shells, git, ends                          20.0 s   25.0%",
    ):
        assert words in said


def test_a_finished_study_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = checks.read(TINY)
    jobs = jobs_of(study)
    for job in jobs:
        path = Path(job.timing)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("s\tcpu_time\n2.5\t1\n")
    with pytest.raises(SystemExit, match=study.places.events):
        overhead.table_of_timings(TINY, cores=2)
    whole = [
        {"event": "run", "time": 1000.0, "total": len(jobs)},
        {"event": "progress", "time": 1101.0, "done": len(jobs), "total": len(jobs)},
        {"event": "end", "time": 1102.0},
    ]
    events = Path(study.places.events)
    events.parent.mkdir(parents=True, exist_ok=True)
    events.write_text("\n".join(map(json.dumps, [whole[0], {**whole[1], "done": 3}, whole[2]])))
    with pytest.raises(SystemExit, match=study.places.events):  # of a run that went on with another one
        overhead.table_of_timings(TINY, cores=2)
    events.write_text("\n".join(map(json.dumps, whole)))
    said = "\n".join(overhead.table_of_timings(TINY, cores=2))
    assert "train                          6           15.0" in said
    assert "wall time 102 s on 2 cores: 204 s, of which 120 s (58.8%) in jobs" in said
    path.unlink()
    with pytest.raises(SystemExit, match="results/tiny: 1 "):
        overhead.table_of_timings(TINY, cores=2)


def test_start_up_is_measured(capsys):
    startup.main(["run_study", "--rounds", "1"])
    words = capsys.readouterr().out.split("run_study")[1].split()
    assert all(float(word) > 0 for word in words)
    assert len(words) == 2


def test_imports_inside_functions_count(tmp_path):
    (tmp_path / "x.py").write_text("import os\ndef f():\n    from widedeep import names\n    print(1)\n")
    assert startup.imports_of(tmp_path / "x.py") == "import os\nfrom widedeep import names"


def test_a_stage_ends_at_once():
    """Taking apart what torch or seaborn made costs up to a second of processor time; what is registered is done."""
    code = (
        "import atexit, os\nfrom widedeep.runtime import command\n"
        "class Kept:\n    __del__ = lambda self, write=os.write: write(1, b'taken apart')\n"
        "kept = Kept()\natexit.register(lambda: print('registered'))\ncommand.run(lambda: print('main'))"
    )
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS.parent / "scripts")}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == "main\nregistered\n"


def test_a_hollow_job_makes_the_files_that_its_command_names(tmp_path):
    environment = load.hollow(tmp_path)
    for words in (
        "train.py --data data/x.h5 --threads 1 --out results/load/models/a-w0.5/seed12",
        "x.py --out results/y.csv",
    ):
        subprocess.run(["python", *words.split()], cwd=tmp_path, env=environment, check=True)
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*") if path.is_file()}
    network = {
        f"results/load/models/a-w0.5/seed12/{name}" for name in ("history.csv", "metrics.json", "provenance.json")
    }
    assert made == network | {"results/load/models/a-w0.5/seed12/model.safetensors", "data/x.h5", "results/y.csv"}


@pytest.fixture(scope="module")
def small():
    """(network, minibatches, names of its layers)"""
    model = task.network(seed=0, depth=8)
    return model, task.minibatches(3, 16), task.names_of(model)


def test_the_reference_of_the_engines_is_the_definition(small):
    model, inputs, names = small
    reference = task.reference(model, inputs, names[:4])
    each = [task.features(model, part, names[:4]) for part in inputs]
    layers = [torch.cat(parts).numpy() for parts in zip(*each, strict=True)]
    expected = [[oracles.minibatch_cka(x, y, 16) for y in layers] for x in layers]
    np.testing.assert_allclose(reference.cka("unbiased, ratio of means"), expected, atol=1e-12)
    ratios = [[np.mean([biased(x[s : s + 16], y[s : s + 16]) for s in (0, 16, 32)]) for y in layers] for x in layers]
    np.testing.assert_allclose(reference.cka("biased, mean of ratios"), ratios, atol=1e-12)
    assert reference.part(2, 3).unbiased.shape == (2, 2, 2)


def biased(x, y):
    k, l = oracles.gram(x), oracles.gram(y)  # noqa: E741
    return (k * l).sum() / np.linalg.norm(k) / np.linalg.norm(l)


def test_our_engine_is_the_reference(small):
    model, inputs, names = small
    expected = task.reference(model, inputs, names).cka("unbiased, ratio of means")
    for contestant in OURS:
        found = contestants.values_of(contestant, *engine.task_of(contestant, model, inputs))
        np.testing.assert_allclose(found, expected, atol=1e-6)
    shift, inputs = task.shifted(3, 64, number=2, batch_size=32)
    found = contestants.ours(shift, task.loader(inputs), None)
    expected = task.reference(shift, inputs, task.names_of(shift)).cka("unbiased, ratio of means")
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(found - 1).max() > 0.01


def test_the_products_of_the_floor_are_those_of_a_layer():
    x = np.random.default_rng(0).standard_normal((5, 7))
    for product in (contestants.sgemm, contestants.ssyrk, contestants.dgemm, contestants.dsyrk):
        np.testing.assert_allclose(np.triu(product(x)), np.triu(x @ x.T), rtol=1e-5, atol=1e-5)


def test_contestants_take_turns_and_get_a_row_each(small):
    """Those that are not installed too, with a line that says so."""
    model, inputs, names = small
    present = [contestant for contestant in contestants.CONTESTANTS if contestant.module is None]
    absent = dataclasses.replace(OURS[0], name="no-such-package", module="no_such_package")
    seconds, found = engine.race(present, model, inputs, rounds=2)
    assert {len(used) for used in seconds.values()} == {2}
    memory = {contestant.name: (900.0, 100.0) for contestant in present}
    shift = {contestant.name: "2e-09" for contestant in OURS}
    reference = task.reference(model, inputs, names)
    lines = engine.table([*present, absent], seconds, found, memory, reference, shift)
    assert {line.count("|") for line in lines[:-2]} == {11}
    (ours,) = (line for line in lines if line.startswith("| ours (default) |"))
    assert float(ours.split("|")[8]) < 1e-6
    assert "| no-such-package | not installed: benchmarks/requirements.txt |" in lines[-3]
    assert "Medians of 2 rounds" in lines[-1]
    assert "Base 800 to 800 MiB" in lines[-1]


def test_what_ran_on_a_part_is_extrapolated():
    """Two of ten minibatches of every second layer: 25 of 100 pairs, and 2 x 3 of 15 seconds of forward passes."""
    part = contestants.Contestant("slow", None, minibatches=2, stride=2, passes=2)
    assert engine.extrapolated(part, 6 + 4, forward=15, layers=10) == pytest.approx(4 * 5 * 4 + 30)
    assert contestants.Contestant("whole", None).is_part is False


def test_the_faster_product_is_the_floor():
    seconds = {f"{name} (default)": [engine.Seconds(9, at)] for at, name in enumerate(contestants.FLOORS, start=3)}
    assert engine.fastest_floor(seconds, "default") == [engine.Seconds(9, 3)]


def test_errors_say_what_is_wrong():
    assert engine.error(np.array([1.0, 2.0]), np.array([1.0, 2.5])) == "0.50"
    assert engine.error(np.array([1.0, 1.5e-7]), np.array([1.0, 0])) == "1e-07"
    assert engine.error(np.array([np.nan, 1]), np.zeros(2)) == "NaN or inf in 1 of 2"
    stops = contestants.Contestant("stops", lambda *_: np.zeros(2)[3])
    assert engine.error(contestants.values_of(stops), None).startswith("stops: index 3 is out of bounds")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux only")
def test_memory_is_what_was_held_at_once():
    peak, over = engine.in_own_process(peak_of_holding)
    assert 60 < over < 80
    assert peak > over


def peak_of_holding():
    """In a process of its own: this one has memory that is free, and more would not show."""
    contestants.CONTESTANTS[:] = [contestants.Contestant("holding", lambda *_: np.ones((64, 2**17)))]
    return engine.peak_memory("holding", depth=8, minibatches=1, batch_size=8)


def test_we_fall_into_no_trap():
    lines = traps.table(OURS[:1])
    right, ours = (line.split(" | ") for line in lines[2:4])
    assert float(ours[1]) == pytest.approx(float(right[1]), abs=1e-3)
    assert ours[2] == "nan; nan"
    assert float(ours[3].strip(" |")) == pytest.approx(1)
    assert "refused" in lines[-1]


def test_pairs_are_compared_in_both_ways_and_with_a_package(small, tmp_path, monkeypatch):
    models = [small[0]] * 3
    package = contestants.Contestant(pairs.PEER, contestants.ours, two=True)
    monkeypatch.setattr(contestants, "CONTESTANTS", [package])
    lines = pairs.measured(tmp_path, models, (2, 3), minibatches=2, batch_size=16)
    assert {line.count("|") for line in lines[:4]} == {10}
    assert lines[3].startswith("| 3 | 3 | ")
    assert float(lines[-1].split("at most ")[1].split()[0]) < 1e-6
    monkeypatch.setattr(contestants, "CONTESTANTS", [dataclasses.replace(package, module="no_such_package")])
    lines = pairs.measured(tmp_path, models, (2,), minibatches=1, batch_size=16)
    assert "not installed: benchmarks/requirements.txt" in lines[2]


def test_jobs_of_a_dry_run_are_counted(tmp_path):
    overhead.copy_workflow(tmp_path, TINY)
    jobs, wall, processor, memory = dag.dry_run(tmp_path)
    assert jobs == len(jobs_of(checks.read(TINY))) + 1  # and the rule all
    assert 0 < processor < 2 * wall
    assert memory > 30


def test_sizes_of_dumps_are_tabulated():
    lines = disk.sizes(checks.read(TINY))
    assert lines[0] == "| network | layers | gram, GB | raw 1x | raw 2x | raw / gram |"
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| resnet 8", "| resnet 14"]
    assert {line.count("|") for line in lines} == {7}


def test_trainings_take_turns_and_are_compared_within_a_round(monkeypatch):
    monkeypatch.setattr(training, "SECONDS", 0)
    monkeypatch.setattr(training, "STEPS", 1)
    found = training.race(training.contestants(8, 0.5, 8), rounds=1)
    assert {len(rates) for rates in found.values()} == {1}
    assert all(rate > 0 for rates in found.values() for rate in rates)
    rates = {"floor": [10.0, 20.0, 40.0], "ours": [5.0, 20.0, 30.0]}
    assert training.line("x", rates) == "| x | 20 | 0.75 |"


def test_the_memory_of_jobs_stands_beside_what_is_predicted(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "job", lambda *_: 123.0)
    monkeypatch.setattr(memory, "BATCH_SIZE", 8)
    lines = memory.by_examples(tmp_path, [16])
    assert re.fullmatch(r"\| 16 \| 123 \([\d,]+\) \| 123 \([\d,]+\) \|", lines[2])
    lines = memory.by_networks(tmp_path, [2, 3])
    assert [line.split(" | ")[0] for line in lines[2:4]] == ["| 2", "| 3"]
    assert "954 MB" in lines[-1]


def test_verdicts_are_counted():
    """Three against none of four networks decide figure 1, three against none of three do not."""
    rng = np.random.default_rng(0)
    titles = Path("docs/statistics.md").read_text()
    for rule in verdicts.RULES:
        (lines,) = verdicts.tables_of_verdicts(2, rng, [dataclasses.replace(rule, numbers=(3,))])
        assert lines[0].strip("*") in titles
        assert len(lines) == 4 + len(rule.truths)
        assert all(re.fullmatch(r"\| .+ \| \d+ / \d+ \|", line) for line in lines[4:])
    assert verdicts.of_counts("depth")((0, 1), 3, 0, rng) == (0, 0)
    assert verdicts.of_counts("depth")((0, 1), 4, 0, rng) == (1, 0)
    # 0, 1, .. 4 of four large networks have a block structure in so many of 16 studies.
    decided = [verdicts.verdict_of_counts("depth", 0, large, 4) == "reproduced" for large in range(5)]
    assert verdicts.of_counts("depth")((0, 0.5), 4, 0, rng)[0] == pytest.approx(np.dot([1, 4, 6, 4, 1], decided) / 16)
    for distance, shares in ((50, (1, 0)), (-50, (0, 1))):
        assert verdicts.mean_over_networks(False)(distance, 5, 20, rng) == shares


def test_coverage_is_counted(monkeypatch):
    for same in (True, False):  # pairs whose values are sums, 4 in the mean
        values = np.add.outer(np.arange(5.0), np.arange(5.0)) + np.diag(np.full(5, np.nan if same else 0))
        for way in (verdicts._jackknife, verdicts._bootstrap):
            low, high = way(values, same, np.random.default_rng(0))
            assert low + 1 < (low + high) / 2 == pytest.approx(4, abs=0.25)
    monkeypatch.setattr(verdicts, "_jackknife", lambda *_: (-np.inf, np.inf))
    monkeypatch.setattr(verdicts, "_bootstrap", lambda *_: (1, 2))
    lines = verdicts.coverage(2, np.random.default_rng(0), seeds=(3, 4))
    assert [line[-15:] for line in lines[2:]] == ["| 1.00 | 1.00 |", "| 0.00 | 0.00 |"] * 4
    rows = [("x: a", 3, 0.25), ("x: b: c", 3, 0), ("x: a", 5, 1), ("x: b: c", 5, 1), ("y: d", 3, 1)]
    tables = [table[2:] for table in verdicts.of_predictions(rows)]
    assert tables == [["| x | 3 | 25 | 0 |", "| x | 5 | 100 | 100 |"], ["| y | 3 | 100 |"]]
