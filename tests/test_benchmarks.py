"""The programs of benchmarks/ run, and add up what they are given; what they measure is not tested."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from widedeep import config as study_config
from widedeep import expected

BENCHMARKS = Path("benchmarks").resolve()
TINY = Path("tests/workflow/tiny.yaml").resolve()
sys.path.insert(0, str(BENCHMARKS))
import overhead  # noqa: E402
import startup  # noqa: E402


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
    notes = [{"program": name, **note} for name in ("train", "train", "compute_cka", "snakemake", "run_study")]
    said = "\n".join(overhead.table_of_notes(30, 60, 2, notes))
    assert "train                            2          2.0          4.0         14.0         20.0" in said
    assert "work of the stages            21.0 s   35.0%" in said
    assert "start-up of the stages         9.0 s   15.0%" in said
    assert "Snakemake and run_study       20.0 s   33.3%" in said
    assert "shells, git, ends             10.0 s   16.7%" in said


def test_a_finished_study_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for job in expected.jobs(study_config.read(TINY)):
        path = Path(job.timing)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("s\th:m:s\n2.5\t0:00:02\n")
    log = Path("results/tiny/logs/snakemake.log")
    with pytest.raises(SystemExit, match="is not the log of a run that did something"):
        overhead.table_of_timings(TINY)
    log.parent.mkdir()
    log.write_text("  Date: 2026-11-25 10:00:00\nProvided cores: 2\n[Wed Nov 25 10:01:42 2026]\n")
    said = "\n".join(overhead.table_of_timings(TINY))
    assert "train                      6           15.0" in said
    assert "wall time 102 s on 2 cores: 204 s, of which 105 s (51.5%) in jobs" in said
    path.unlink()
    with pytest.raises(SystemExit, match="1 jobs have no timing"):
        overhead.table_of_timings(TINY)


def test_start_up_is_measured(capsys):
    startup.main(["run_study", "--rounds", "1"])
    words = capsys.readouterr().out.split("run_study")[1].split()
    assert all(float(word) > 0 for word in words)
    assert len(words) == 2


def test_imports_inside_functions_count(tmp_path):
    (tmp_path / "x.py").write_text("import os\ndef f():\n    from widedeep import names\n    print(1)\n")
    assert startup.imports_of(tmp_path / "x.py") == "import os\nfrom widedeep import names"


def test_a_stage_ends_without_a_search_for_garbage():
    """Which costs up to a second of processor time after torch or seaborn."""
    code = (
        "import atexit, gc\nfrom widedeep import command\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0))\ncommand.run(lambda: 0)"
    )
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS.parent / "scripts")}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == "True\n"
