"""Networks that train side by side learn what each learns alone, and none harms another."""

import pytest
import small
import torch

from widedeep.runtime.errors import UserError
from widedeep.runtime.interruption import Interrupted
from widedeep.training import graph, side_by_side
from widedeep.training.checkpoint import Checkpoint


def nothing(_running):
    """What is done after a step."""


def assert_alike(first, second):
    assert small.same(first.network, second.network)
    assert small.as_text(first.history) == small.as_text(second.history)


def test_each_learns_what_it_learns_alone():
    beside, ended = [small.training(seed) for seed in (1, 2, 3)], []
    assert side_by_side.run(beside, nothing, ended.append) == {}
    assert ended == beside
    for training, seed in zip(beside, (1, 2, 3), strict=True):
        assert_alike(training, small.train(seed))


def test_they_need_not_begin_at_the_same_step():
    beside = [small.training(seed) for seed in (1, 2)]

    def after_two_steps(running):
        if running[0].step == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        side_by_side.run(beside[:1], after_two_steps)
    beside[0].restore(beside[0].state())  # as from a checkpoint, in the middle of an epoch
    side_by_side.run(beside, nothing)
    for training, seed in zip(beside, (1, 2), strict=True):
        assert_alike(training, small.train(seed))


def test_one_that_ends_or_fails_leaves_the_others_as_they_are():
    short, diverging, usual = small.training(1, epochs=1), small.training(2, learning_rate=1000.0), small.training(3)
    ended = []
    failed = side_by_side.run([short, diverging, usual], nothing, ended.append)
    assert list(failed) == [diverging.name]
    assert "training.learning_rate" in str(failed[diverging.name])
    assert ended == [short, usual]
    assert_alike(short, small.train(1, epochs=1))
    assert_alike(usual, small.train(3))


def test_what_cannot_be_written_of_one_counts_as_its_failure():
    first, second, ended = small.training(1), small.training(2), []

    def write(training):
        if training is first:
            raise UserError("the disk is full")
        ended.append(training)

    assert list(side_by_side.run([first, second], nothing, write)) == [first.name]
    assert ended == [second]


@pytest.mark.parametrize("stop_after", [1, 3, 4])
def test_interrupted_between_steps_all_go_on_to_the_same_bits(tmp_path, stop_after):
    """The third step ends an epoch."""
    checkpoints = [Checkpoint(tmp_path / f"{seed}.pt", {}) for seed in (1, 2)]
    steps = []

    def stop(running):
        steps.append(len(running))
        if len(steps) == stop_after:
            for training, checkpoint in zip(running, checkpoints, strict=True):
                checkpoint.save(training.state())
            raise Interrupted

    with pytest.raises(Interrupted):
        side_by_side.run([small.training(seed) for seed in (1, 2)], stop)
    again = [small.training(seed) for seed in (1, 2)]
    for training, checkpoint in zip(again, checkpoints, strict=True):
        checkpoint.resume(training)
    side_by_side.run(again, nothing)
    for training, seed in zip(again, (1, 2), strict=True):
        assert_alike(training, small.train(seed))


def test_where_there_is_no_room_for_all_they_follow_each_other(monkeypatch):
    """A device with room for two."""
    tried, original = [], graph.captured

    def captured(trainings):
        tried.append(len(trainings))
        if len(trainings) > 2:
            raise torch.OutOfMemoryError("no room")
        return original(trainings)

    monkeypatch.setattr(graph, "captured", captured)
    beside, seen = [small.training(seed) for seed in range(1, 6)], []
    assert side_by_side.run(beside, lambda running: seen.append(len(running))) == {}
    assert tried == [5, 2, 3, 1, 2]
    assert all(training.is_finished for training in beside)
    assert_alike(beside[4], small.train(5))


def test_one_that_has_no_room_alone_is_told_so(monkeypatch):
    def captured(_trainings):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(graph, "captured", captured)
    with pytest.raises(torch.OutOfMemoryError):
        side_by_side.run([small.training()], nothing)
