"""Files of similarity that hold what no network has with itself."""

import numpy as np
import pytest
import small_network

from widedeep.formats import similarities
from widedeep.runtime.errors import UserError

CKA = small_network.with_block(6, 1, 4)


def changed(layers, value):
    """CKA with another value at some places."""
    found = CKA.copy()
    for place in layers:
        found[place] = value
    return found


@pytest.mark.parametrize(
    ("values", "words"),
    [(changed([(1, 4)], 0.2), "not symmetric"), (changed([(1, 4), (4, 1)], np.nan), "undefined for layers")],
)
def test_cka_of_a_network_with_itself_is_symmetric_and_defined_for_all_layers_that_are(tmp_path, values, words):
    for name, both in {"cka": (values, CKA), "deflated": (CKA, values)}.items():
        path = small_network.write_cka(tmp_path / f"{name}.h5", "a/seed1", *both)
        with pytest.raises(UserError, match=rf"^{path}: .*\b{name} is {words}.*compute_cka\.py"):
            similarities.read(path)


def test_an_undefined_layer_and_a_pair_of_two_networks_are_read(tmp_path):
    dead = CKA.copy()
    dead[2] = dead[:, 2] = np.nan
    read = similarities.read(small_network.write_cka(tmp_path / "cka.h5", "a/seed1", dead))
    np.testing.assert_array_equal(read.cka, dead)
    lopsided = changed([(1, 4)], 0.2)
    small_network.write_similarities(tmp_path / "pairs.h5", "s1--s2", ("a/seed1", "a/seed2"), lopsided, lopsided)
    np.testing.assert_array_equal(similarities.read(tmp_path / "pairs.h5", "s1--s2").cka, lopsided)
