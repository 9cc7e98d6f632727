"""How fast networks train, alone and beside others: what is measured, and when the clock runs."""

import threading

import blobs_study
import pytest
import small
import torch

from widedeep.data.catalogue import Images
from widedeep.formats import dumps
from widedeep.names import Configuration
from widedeep.networks import build
from widedeep.planning import sizes, throughput
from widedeep.runtime.errors import UserError
from widedeep.study import checks

IMAGES = blobs_study.IMAGES


def test_throughput_is_measured_on_whole_batches_or_as_far_as_steps_are_quick(monkeypatch):
    assert throughput.alone(small.MODEL, IMAGES, small.recipe(), small.CPU) > 0
    tried = []

    def fake(_configuration, _images, recipe, _device):
        tried.append(recipe.batch_size)
        return seconds_an_image * recipe.batch_size

    monkeypatch.setattr(throughput, "_seconds_a_step", fake)
    for seconds_an_image, expected in ((1e-3, [2, 8, 32, 100]), (0.1, [2, 8]), (1.0, [2])):  # noqa: B007 (fake reads it)
        tried.clear()
        found = throughput.alone(small.MODEL, IMAGES, small.recipe(batch_size=100), small.CPU)
        assert tried == expected
        assert found == pytest.approx(3 * sizes.counted(small.MODEL, IMAGES).forward / seconds_an_image)


def test_throughput_between_two_widths_is_a_power_law_and_that_of_one_is_all():
    assert throughput.at_width(1, {1: 10, 4: 40}) == pytest.approx(10)
    assert throughput.at_width(2, {4: 40, 1: 10}) == pytest.approx(20)
    assert throughput.at_width(8, {1: 10}) == pytest.approx(10)


def test_the_narrowest_is_the_cheapest_and_the_widest_the_costliest_of_its_width():
    study = checks.read("config/cifar10.yaml")
    few = [one for one in study.configurations if one.depth in (14, 26) and one.width in (1, 2)]
    first, last = throughput.smallest_and_largest(few, Images(50_000, 10_000, (3, 32, 32), 10))
    assert (first.depth, first.width, last.depth, last.width) == (14, 1, 26, 2)


def test_two_processes_are_measured_and_this_one_holds_no_device():
    found = throughput.side_by_side(small.MODEL, IMAGES, small.recipe(), 2)
    assert found.throughput > 0
    assert found.start > 0
    assert found.device
    assert not torch.cuda.is_initialized()


def test_a_recipe_that_needs_another_device_is_refused():
    if torch.cuda.is_available():
        pytest.skip("mixed precision is possible here")
    with pytest.raises(UserError, match=r"mixed.precision.*cuda"):
        throughput.side_by_side(small.MODEL, IMAGES, small.recipe(mixed_precision=True), 1)


@pytest.fixture
def side_by_side(monkeypatch):
    """A function that measures in threads of this process instead of processes, with the barrier of all of them."""

    def measure(number, seconds_a_step):
        """The throughput that each of so many found, where a step takes what the function says of the thread."""

        def fake(_configuration, _images, _recipe, _device, _steps=3, wait=None, *_how):
            return seconds_a_step(int(threading.current_thread().name), wait)

        monkeypatch.setattr(throughput, "_seconds_a_step", fake)
        monkeypatch.setattr(throughput, "_barrier", threading.Barrier(number, timeout=60))
        found = [None] * number

        def run(index):
            found[index] = throughput._one_of_several(small.MODEL, IMAGES, small.recipe())[0]

        threads = [threading.Thread(target=run, args=(index,), name=str(index)) for index in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    return measure


def test_measuring_begins_when_all_are_ready(side_by_side):
    order = []

    def step(index, wait):
        if wait:
            order.append("ready")
            wait()
            order.append("measured")
        return 1.0 + index

    found = side_by_side(3, step)
    assert order == ["ready"] * 3 + ["measured"] * 3
    of_a_step = 3 * sizes.counted(small.MODEL, IMAGES).forward * 2  # of 2 images: a step takes more than half a second
    assert found == [pytest.approx(of_a_step / seconds) for seconds in (1.0, 2.0, 3.0)]


def test_where_one_finds_no_memory_nobody_waits_for_it(side_by_side):
    waited = []

    def step(index, wait):
        if wait and index == 1:
            raise torch.OutOfMemoryError
        if wait:
            wait()
            waited.append(index)
        return 1.0

    assert side_by_side(3, step) == [0.0, 0.0, 0.0]
    assert waited == []


def test_the_first_step_and_the_wait_are_not_timed(monkeypatch):
    """A clock that only the steps and the wait put forward."""
    now = [0.0]
    monkeypatch.setattr(throughput.time, "monotonic", lambda: now[0])

    class Training:
        def begin_epoch(self):
            now[0] += 500  # it draws random numbers, and makes libraries ready

        def take_step(self):
            now[0] += 2

        def count_step(self, _seconds):
            pass

        def running_loss_and_accuracy(self):
            now[0] += 4  # it waits for the device

    def wait():
        now[0] += 1000

    monkeypatch.setattr("widedeep.training.loop.training_of", lambda *_: Training())
    options = {"steps": 5, "wait": wait, "networks": 3, "in_graph": False}
    found = throughput._seconds_a_step(small.MODEL, IMAGES, small.recipe(), small.CPU, **options)
    assert found == (4 * 3 * 2 + 4) / 4


def test_a_configuration_is_measured_on_its_own_network(monkeypatch):
    """Not on one of another width: the steps are those of a training of this very network."""
    built = []
    original = build.build_for
    monkeypatch.setattr(build, "build_for", lambda one, *more: built.append(one) or original(one, *more))
    other = Configuration("blobs", "plain", 8, 1, 1.0)
    assert throughput.alone(other, IMAGES, small.recipe(batch_size=2), small.CPU) > 0
    assert {(one.family, one.depth, one.width) for one in built} == {("plain", 8, 1)}


@pytest.mark.parametrize("with_scores", [False, True])
def test_storing_a_gram_matrix_is_measured_with_its_first_component_or_without(monkeypatch, with_scores):
    given, original = [], dumps.Writer.put_gram

    def put_gram(writer, name, minibatch, gram, scores=None):
        given.append(scores is not None)
        original(writer, name, minibatch, gram, scores)

    monkeypatch.setattr(dumps.Writer, "put_gram", put_gram)
    assert throughput.seconds_to_store_gram(16, with_scores) > 0
    assert given == [with_scores] * 21
    assert throughput.product_rate() > 0
