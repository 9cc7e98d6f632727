"""Checks of scripts/verify.py that no finished study is needed for; the others are in workflow/test_verify.py."""

from types import SimpleNamespace

import pytest
import test_dumps
from test_provenance import attempt_of

from widedeep.names import Configuration
from widedeep.planning import verification
from widedeep.runtime import provenance
from widedeep.runtime.errors import UserError

MODEL = Configuration("digits", "resnet", 8, 1.0, 1.0)


@pytest.fixture
def study(tmp_path):
    """The checks of results/s in a folder where nothing else is."""
    return verification._Study(tmp_path / "results/s", {"study": "s"})


def test_a_provenance_that_tells_of_other_files_is_named(study, monkeypatch):
    monkeypatch.setattr(verification._Study, "_settings_of_training", lambda *_: {})
    outputs = ["results/s/model.safetensors", "results/s/provenance.json"]
    job = SimpleNamespace(rule="train", networks=[(MODEL, 1)], outputs=outputs)
    (study.folder / "history.csv").parent.mkdir(parents=True)
    (study.folder / "history.csv").write_text("a\n")
    of = str(MODEL), 1
    provenance.write(
        study.folder / "provenance.json", "train", of, {}, [attempt_of()], [str(study.folder / "history.csv")]
    )
    with pytest.raises(UserError, match=r"provenance\.json: tells of other files than model\.safetensors"):
        study._provenance(job)


def test_a_dump_of_other_minibatches_is_named(study, tmp_path, monkeypatch):
    path = test_dumps.write(tmp_path / "activations.h5")
    monkeypatch.setattr(verification._Study, "_checksum_of", lambda *_: {})
    study.config["dumps"] = {"form": "gram"}
    study.__dict__ |= {"_data": object(), "_sample_ids": test_dumps.dumps.minibatches(40, 16, 2, 1)}
    with pytest.raises(UserError, match=r"activations\.h5: its minibatches are not those of the config; dump the"):
        study._check_dump(path, Configuration("blobs", "resnet", 8, 1.0, 1.0), 1)


@pytest.mark.parametrize(("names", "differing"), [(["a", "c"], "b"), (["b", "a"], "their order")])
def test_layers_that_the_network_does_not_have_are_named(study, monkeypatch, names, differing):
    study.__dict__["_data"] = object()
    monkeypatch.setattr(verification._Study, "_layers", lambda *_: ["a", "b"])
    with pytest.raises(UserError, match=rf"cka\.h5: holds other layers than {MODEL} has \({differing}\)"):
        study._compare_layers("cka.h5", names, MODEL)
