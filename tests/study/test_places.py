"""Where a study's files lie, and the workflow's own."""

from pathlib import Path

from widedeep.study import checks, places


def test_a_shipped_file_is_found_from_anywhere_and_ones_own_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert places.shipped(places.DEMO) == str(places.WORKFLOW / "config/demo.yaml")
    (tmp_path / "config").mkdir()
    (tmp_path / places.DEMO).touch()
    assert places.shipped(places.DEMO) == places.DEMO
    assert places.shipped("mine.yaml") == "mine.yaml"


def test_snakemake_is_told_of_the_snakefile_only_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = places.snakemake_options("mine.yaml", places.PROFILE)
    assert words[:4] == ["--snakefile", str(places.WORKFLOW / "Snakefile"), "--configfile", "mine.yaml"]
    assert Path(words[5]) == places.WORKFLOW / places.PROFILE
    monkeypatch.chdir(places.WORKFLOW)
    words = places.snakemake_options("mine.yaml", places.PROFILE)
    assert words == ["--configfile", "mine.yaml", "--profile", places.PROFILE]


def test_a_shipped_config_is_read_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert checks.read(places.DEMO).study == "demo"
