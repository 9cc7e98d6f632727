"""Data as users have them, as the arguments of a network."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from widedeep.measures import batches
from widedeep.runtime.errors import UserError

IMAGES, LABELS = torch.arange(24.0).reshape(6, 4), torch.arange(6)


class Takes(nn.Module):
    """A network whose forward has the parameters of a function."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


def inputs(batch, parameters="input", dtype=torch.float32):
    """The Inputs of a network whose forward has these parameters."""
    return batches.inputs_of(batch, Takes(eval(f"lambda {parameters}: None")), torch.device("cpu"), dtype)


@pytest.mark.parametrize("batch", [IMAGES, (IMAGES, LABELS), [IMAGES, LABELS], IMAGES.numpy(), (IMAGES.numpy(), 3)])
def test_the_first_entry_is_the_input(batch):
    found = inputs(batch)
    assert found.kwargs == {}
    assert len(found.args) == 1
    assert torch.equal(found.args[0], IMAGES)
    assert found.n == 6


def test_a_network_gets_as_many_entries_as_it_needs():
    assert len(inputs((IMAGES, LABELS, LABELS), "a, b, c=None").args) == 2
    assert len(inputs((IMAGES, LABELS), "a=None, b=None").args) == 1
    assert len(inputs((IMAGES, LABELS), "*several").args) == 1


def test_of_a_dict_the_network_gets_the_entries_that_it_names():
    batch = {"pixels": IMAGES, "ids": LABELS, "labels": LABELS, "text": ["a"] * 6}
    assert [*inputs(batch, "ids, pixels=None").kwargs] == ["pixels", "ids"]
    # A wrapper may hand on what it does not name.
    assert [*inputs(batch, "ids, **more").kwargs] == [*batch]
    only = inputs(batch, "x")
    assert only.args[0] is IMAGES
    with pytest.raises(UserError, match=r"entries a, b.*takes x"):
        inputs({"a": IMAGES, "b": IMAGES}, "x")


def test_arrays_become_tensors_of_the_networks_type():
    assert inputs(IMAGES.double().numpy()).args[0].dtype == torch.float32
    assert inputs(IMAGES.numpy(), dtype=torch.float64).args[0].dtype == torch.float64
    assert inputs(LABELS.numpy()).args[0].dtype == torch.int64
    # What is a tensor has the type that the user gave it.
    assert inputs(IMAGES.double()).args[0].dtype == torch.float64
    with pytest.raises(UserError, match="array of <U1"):
        inputs(np.array(["a", "b"]))


@pytest.mark.parametrize("batch", ["text", 3, [], (["a"],), {"x": "text"}])
def test_a_batch_without_a_tensor_is_refused(batch):
    with pytest.raises(UserError, match="minibatch is a"):
        inputs(batch, "x")


def test_some_examples_are_taken_of_what_has_a_row_for_each():
    found = inputs({"x": IMAGES, "mask": LABELS, "scale": torch.tensor(2.0), "table": torch.zeros(4)}, "**_")
    some = found.some(slice(1, 3))
    assert some.n == 2
    assert torch.equal(some.kwargs["x"], IMAGES[1:3])
    assert torch.equal(some.kwargs["mask"], LABELS[1:3])
    assert some.kwargs["scale"].ndim == 0
    assert len(some.kwargs["table"]) == 4


@pytest.mark.parametrize(
    "data",
    [
        torch.zeros(600, 3),
        np.zeros((600, 3)),
        {"x": torch.zeros(600, 3), "y": np.zeros(600)},
        TensorDataset(torch.zeros(600, 3), torch.zeros(600)),
    ],
)
def test_all_examples_at_once_are_cut_into_minibatches(data):
    found = batches.batches_of(data)
    assert len(found) == 3
    cut = [next(iter(batch.values())) if isinstance(batch, dict) else batch for batch in found]
    cut = [batch[0] if isinstance(batch, list) else batch for batch in cut]
    assert [batch.shape for batch in cut] == [(256, 3), (256, 3), (88, 3)]


def test_few_examples_are_one_minibatch_and_iterables_stay_as_they_are():
    assert [len(batch) for batch in batches.batches_of(torch.zeros(5, 3))] == [5]
    assert list(batches.batches_of(torch.zeros(0, 3))) == []
    loader = DataLoader(TensorDataset(IMAGES), 2)
    assert batches.batches_of(loader) is loader


@pytest.mark.parametrize("dtype", [">f4", ">f8", "g", ">i4", ">c8", "G"])
@pytest.mark.filterwarnings("error")
def test_arrays_of_any_type_that_torch_lacks_keep_their_values(dtype):
    array = IMAGES.numpy().astype(dtype)
    array.setflags(write=False)
    (found,) = inputs(array, dtype=torch.float64).args
    assert np.array_equal(found.numpy(), array)


@pytest.mark.parametrize(
    ("batch", "words"),
    [
        (np.ma.masked_less(IMAGES.numpy(), 3), "masked"),
        (torch.zeros(6, 4, device="meta"), "meta"),
    ],
)
def test_a_batch_whose_values_are_not_all_there_is_refused(batch, words):
    with pytest.raises(UserError, match=words):
        inputs(batch)


def test_sparse_tensors_whose_rows_torch_does_not_take_are_refused():
    for data in (IMAGES.to_sparse(), {"x": IMAGES.to_sparse()}):
        with pytest.raises(UserError, match=r"sparse tensor, \(6, 4\).*to_dense"):
            batches.batches_of(data)
    with pytest.raises(UserError, match="sparse"):
        inputs({"x": IMAGES, "links": torch.eye(6).to_sparse()}, "x, links").some(slice(2))
    other = inputs({"x": IMAGES, "links": torch.eye(9).to_sparse()}, "x, links").some(slice(2))
    assert other.kwargs["links"].shape == (9, 9)


@pytest.mark.parametrize("data", ["photos", b"photos", memoryview(b"photos"), 3, None, pd.DataFrame({"x": [1.0]})])
def test_what_is_no_data_is_refused(data):
    with pytest.raises(UserError, match="data is a"):
        batches.batches_of(data)


def test_a_dict_of_unequal_lengths_is_refused():
    with pytest.raises(UserError, match=r"\[2, 6\] examples"):
        batches.batches_of({"x": IMAGES, "y": torch.zeros(2)})


def test_a_network_that_fails_is_named_with_what_it_was_given():
    with pytest.raises(
        UserError, match=r"the second network does not take.*\(6, 4\) float32.*RuntimeError: mat1"
    ) as said:
        batches.run(nn.Linear(5, 2), inputs(IMAGES), "the second network")
    assert isinstance(said.value.__cause__, RuntimeError)
