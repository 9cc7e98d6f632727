"""Checks of scripts/verify.py that no finished study is needed for; the others are in workflow/test_verify.py."""

import blobs_study
import pytest
import small_dumps

from widedeep.data.minibatches import minibatches
from widedeep.names import Configuration, Network
from widedeep.planning import verification
from widedeep.runtime import provenance
from widedeep.runtime.errors import UserError
from widedeep.study.jobs import network_job

STUDY = blobs_study.study()
MODEL = Configuration("blobs", "resnet", 8, 1.0, 1.0)


@pytest.fixture
def found(tmp_path):
    """The checks of results/blobs in a folder where nothing else is."""
    return verification._Results(tmp_path / "results/blobs", STUDY)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=rf"^{tmp_path}/none: .*results/blobs\.$"):
        verification.verify(tmp_path / "none", STUDY)


def test_a_provenance_that_tells_of_other_files_is_named(found, monkeypatch):
    monkeypatch.setattr(verification._Results, "_settings_of_training", lambda *_: {})
    job = network_job(STUDY, "train", blobs_study.NETWORK)
    folder = found.place(job.outputs["provenance"]).parent
    (folder / "history.csv").parent.mkdir(parents=True)
    (folder / "history.csv").write_text("a\n")
    network, attempts = (str(blobs_study.NETWORK.configuration), 1), [provenance.Attempt().so_far()]
    provenance.write(folder / "provenance.json", "train", network, {}, attempts, [folder / "history.csv"])
    with pytest.raises(UserError, match=r"provenance\.json: .*history\.csv.*metrics\.json.*model\.safetensors"):
        found._provenance(job)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_dump_of_other_minibatches_is_named(found, tmp_path, monkeypatch, seed):
    """small_dumps writes those of seed 0."""
    path = small_dumps.write(tmp_path / "activations.h5")
    monkeypatch.setattr(verification._Results, "_checksum_of", lambda *_: {})
    monkeypatch.setattr(verification._Results, "_compare_layers", lambda *_: None)
    found.__dict__ |= {"_data": object(), "_sample_ids": minibatches(40, 16, 2, seed)}
    if seed == 0:
        found._check_dump(path, Network(MODEL, 1))
        return
    with pytest.raises(UserError, match=r"activations\.h5: .*minibatches.*config"):
        found._check_dump(path, Network(MODEL, 1))


@pytest.mark.parametrize(("names", "differing"), [(["a", "c"], "b"), (["b", "a"], "order")])
def test_layers_that_the_network_does_not_have_are_named(found, monkeypatch, names, differing):
    found.__dict__["_data"] = object()
    monkeypatch.setattr(verification._Results, "_layers", lambda *_: ["a", "b"])
    with pytest.raises(UserError, match=rf"cka\.h5: .*{MODEL}.*{differing}"):
        found._compare_layers("cka.h5", names, MODEL)
