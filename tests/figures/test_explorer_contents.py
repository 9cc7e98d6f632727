"""What the explorer's page holds of a study, as far as it fits."""

from pathlib import Path

import pandas as pd
import pytest
from explorer_records import network

from widedeep.analysis.block_structure import LEAST_CONTRAST
from widedeep.figures.explorer import contents, page
from widedeep.formats import dataset, tables
from widedeep.runtime.errors import UserError


def test_first_seeds_come_first():
    folders = [Path(name) for name in ("wide/seed1", "wide/seed2", "deep/seed4", "deep/seed7", "wide/seed3")]
    found = contents.first_seeds_first(folders)
    assert [str(folder) for folder in found] == ["wide/seed1", "deep/seed4", "wide/seed2", "deep/seed7", "wide/seed3"]


def test_what_the_page_lacks_is_named():
    assert contents.left_out(3, 3, 5, 5) == ""
    assert "holds 2 of 3 networks and 0 of 5 pairs" in contents.left_out(2, 3, 0, 5)


def a_network(model, size=0):
    """As with_architectures reads it, of so many bytes more than nothing."""
    return {"model": model, "own": "x" * size}


def test_layers_of_configurations_count_and_only_those_of_networks_are_kept():
    networks = [a_network("one"), a_network("one", 100), a_network("two", 50)]
    architectures = {name: {"names": ["x" * 200]} for name in ("one", "two", "three")}
    each = len(page.as_json({"one": architectures["one"]}))
    # The third configuration is of a network that did not fit.
    kept, used, left = contents.with_architectures(networks, architectures, 1000)
    assert (kept, [*used], left) == (networks, ["one", "two"], 1000 - len(page.as_json(used)))
    # The second one's layers do not fit: its network goes, and gives back its room.
    kept, used, left = contents.with_architectures(networks, architectures, each)
    assert (kept, [*used], left) == (networks[:2], ["one"], page.size_of(networks[2]))
    assert contents.with_architectures(networks[:1], architectures, 10)[0] == []


def test_a_network_that_is_too_large_for_a_page_is_named(monkeypatch):
    monkeypatch.setattr(dataset, "describe", lambda _: None)
    monkeypatch.setattr(contents, "network_of", lambda *_: a_network("one", 10_000))
    with pytest.raises(UserError, match=r"^one/seed1: .*20 MB"):
        contents.contents_of("small", [Path("one/seed1")], "dataset.h5", [], None, None, 10_000)


def test_findings_may_be_a_file_of_any_name(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "describe", lambda _: None)
    whole = network("one/seed1", cka={"step": 0.0}, deflated={"step": 0.0})
    monkeypatch.setattr(contents, "network_of", lambda *_: whole)
    line = ["data", "fig2", "A claim.", "0.01", "0.00 to 0.02, threshold above 0.02", "0.05", "not decidable", ""]
    pd.DataFrame([line], columns=tables.columns("findings.csv")).to_csv(tmp_path / "mine.csv", index=False)
    folders = [Path("one/seed1")]
    study = contents.contents_of("small", folders, "dataset.h5", [], tmp_path / "mine.csv", None, 100_000)
    (finding,) = study["findings"]
    assert (finding["claim"], finding["interval"], finding["smallest_effect"]) == tuple(line[2:3] + line[4:6])
    assert finding["view"] is None
    assert (study["least_contrast"], study["sensitivity"]) == (LEAST_CONTRAST, (0.04, 0.06, 0.08, 0.1))
    assert "dataset" not in study
