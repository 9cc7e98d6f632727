"""The table and the page of where a study comes from."""

import shutil
from pathlib import Path

import pytest
from small_provenance import attempt_of, network, tabulate

from widedeep.runtime.errors import UserError


def test_a_line_a_network_and_the_recipe_once(tmp_path):
    folders = [network(tmp_path / f"seed{seed}", seed) for seed in (1, 2)]
    table, page = tabulate(tmp_path, *folders)
    assert table.seed.tolist() == [1, 2]
    assert table.commit.tolist() == ["a" * 12] * 2
    assert table.dump_seconds.tolist() == [61, 61]
    assert "Attention" not in page
    assert page.count("learning_rate 0.1") == 1
    assert f"Code: commit {'a' * 12}." in page
    assert "torch 1.0" in page
    assert ">01:01<" in page


def test_several_commits_or_versions_are_said_on_top(tmp_path):
    folders = [network(tmp_path / "a", 1), network(tmp_path / "b", 2, commit="b" * 40, dirty=True)]
    table, page = tabulate(tmp_path, *folders)
    assert table.commit.tolist() == ["a" * 12, f"{'b' * 12} (changed)"]
    assert "Attention: these results were made by 2 states of the code" in page
    assert "sets of versions" not in page
    versions = {**attempt_of()["versions"], "torch": "2.0"}
    _, page = tabulate(tmp_path, folders[0], network(tmp_path / "c", 3, versions=versions))
    assert "Attention: these results were made by 2 sets of versions" in page


def test_files_of_different_networks_are_refused(tmp_path):
    one, two = (Path(network(tmp_path / name, seed)) for name, seed in (("a", 1), ("b", 2)))
    shutil.copy(one / "dump_provenance.json", two)
    with pytest.raises(UserError, match=r"b.*dump.*blobs-resnet8-w0\.5-f100/seed1"):
        tabulate(tmp_path, str(two))
