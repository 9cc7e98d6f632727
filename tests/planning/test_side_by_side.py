"""Several processes that train side by side are measured while all of them run."""

import threading
import time

import pytest
import small
import torch

from widedeep.planning import costs, side_by_side
from widedeep.runtime.errors import UserError

IMAGES = costs.Images(train_examples=50, test_examples=40, shape=(1, 8, 8), classes=3)


def cost_of_blobs():
    layers, forward = costs.counted(costs.unfilled(small.MODEL, IMAGES), IMAGES)
    return costs.Cost(small.MODEL, [1], layers, forward, 0, 0, 0, 0, 0, {}, {})


@pytest.fixture
def quick(monkeypatch):
    """Processes in this one: threads, each with the barrier of all."""

    def measure(processes, throughput):
        monkeypatch.setattr(costs, "throughput_beside_others", throughput)
        monkeypatch.setattr(side_by_side, "_barrier", threading.Barrier(processes, timeout=10))
        found = [None] * processes

        def run(index):
            found[index] = side_by_side._measured(index, None, None)[0]

        threads = [threading.Thread(target=run, args=(index,)) for index in range(processes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    return measure


def test_two_processes_are_measured_and_this_one_holds_no_device():
    found = side_by_side.measured(cost_of_blobs(), IMAGES, small.recipe(), 2)
    assert found.throughput > 0
    assert 0 < found.start < 100
    assert found.device
    assert not torch.cuda.is_initialized()


def test_a_recipe_that_needs_another_device_is_refused():
    if torch.cuda.is_available():
        pytest.skip("mixed precision is possible here")
    with pytest.raises(UserError, match="mixed precision needs a cuda device"):
        side_by_side.measured(cost_of_blobs(), IMAGES, small.recipe(mixed_precision=True), 1)


def test_measuring_begins_when_all_are_ready(quick):
    began = []

    def throughput(index, _images, _recipe, _device, wait):
        time.sleep(0.2 * index)
        wait()
        began.append(time.monotonic())
        return 5.0

    assert quick(3, throughput) == [5.0, 5.0, 5.0]
    assert max(began) - min(began) < 0.15


def test_where_one_finds_no_memory_nobody_waits_for_it(quick):
    def throughput(index, _images, _recipe, _device, wait):
        if index == 1:
            raise torch.OutOfMemoryError
        wait()
        return 5.0

    began = time.monotonic()
    assert quick(3, throughput) == [0.0, 0.0, 0.0]
    assert time.monotonic() - began < 5  # half of the barrier's patience


def test_steps_are_timed_between_two_waits_for_the_device(monkeypatch):
    """The first step is not among them, and the others begin when `wait` returns."""
    monkeypatch.setattr(costs, "_SECONDS_BESIDE", 0.0)
    waited = []

    def wait():
        time.sleep(1)
        waited.append(1)

    rate = costs.throughput_beside_others(cost_of_blobs(), IMAGES, small.recipe(), small.CPU, wait)
    assert len(waited) == 1
    # Two steps of 16 images that took the second too would be slower.
    assert rate > 3 * cost_of_blobs().forward * 2 * 16
