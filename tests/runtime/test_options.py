"""Groups of options on a command line: types, bounds, and the way back."""

import argparse
import re
import shlex
from typing import Literal

import pytest
from pydantic import Field, ValidationError

from widedeep.analysis.probe_options import ProbeOptions, ProbeRecipe
from widedeep.formats.dump_options import DumpOptions
from widedeep.runtime import options
from widedeep.runtime.errors import UserError
from widedeep.training.recipe import Recipe


class Example(options.Options):
    """All kinds of options."""

    steps: int = Field(ge=1, le=100, description="How many steps.")
    rate: float = Field(0.5, gt=0, le=10, description="Share of the images, up to 100%.")
    form: Literal["gram", "raw"] = Field("gram", description="What is kept.")
    flip: bool = Field(True, description="Mirror images.")
    first_few: int | None = Field(None, ge=4, description="The first so many; left out, all.")
    sizes: list[int] = Field([16, 64], description="Sizes to try.")


def parsed(words, kind=Example, without=()):
    parser = argparse.ArgumentParser(prog="x.py")
    options.add_arguments(parser, kind, without)
    return options.from_arguments(kind, parser.parse_args(shlex.split(words)))


def test_defaults_are_those_of_the_class():
    assert parsed("--steps 3") == Example(steps=3)


def test_each_kind_of_option_is_parsed_to_its_type():
    found = parsed("--steps 3 --rate 2 --form raw --no-flip --first-few 5 --sizes 8 16 32")
    assert found == Example(steps=3, rate=2.0, form="raw", flip=False, first_few=5, sizes=[8, 16, 32])
    assert isinstance(found.rate, float)
    assert parsed("--steps 3 --flip").flip


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("", "--steps"),
        ("--steps x", "--steps.*x"),
        ("--steps 1.5", r"--steps.*1\.5"),
        ("--steps 3 --rate much", "--rate.*much"),
        ("--steps 3 --form square", "--form.*square.*gram.*raw"),
        ("--steps 3 --flip yes", "yes"),
        ("--steps 3 --first-few none", "--first-few.*none"),
        ("--steps 3 --sizes 8 x", "--sizes.*x"),
        ("--steps 3 --unknown 1", "--unknown"),
    ],
)
def test_words_of_another_kind_are_refused_by_argparse(words, named, capsys):
    with pytest.raises(SystemExit) as end:
        parsed(words)
    assert end.value.code == 2
    assert re.search(rf"x\.py: error: .*{named}", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("--steps 0", r"^--steps: .* 1, and is 0\.$"),
        ("--steps 101", r"^--steps: .* 100, and is 101\.$"),
        ("--steps 3 --rate 0", r"^--rate: .* 0, and is 0\.0\.$"),
        ("--steps 3 --rate 1e3", r"^--rate: .* 10, and is 1000\.0\.$"),
        ("--steps 3 --rate nan", "^--rate: .*finite.*nan"),
        ("--steps 3 --rate inf", "^--rate: .*inf"),
        ("--steps 3 --first-few 3", r"^--first-few: .* 4, and is 3\.$"),
    ],
)
def test_values_out_of_bounds_are_one_sentence_that_names_the_option(words, named):
    with pytest.raises(UserError, match=named):
        parsed(words)


@pytest.mark.parametrize(
    ("content", "place", "found"),
    [
        ({}, ("steps",), "required"),
        ({"steps": "3"}, ("steps",), "integer.*'3'"),
        ({"steps": 3.0}, ("steps",), r"integer.*3\.0"),
        ({"steps": True}, ("steps",), "integer.*True"),
        ({"steps": 3, "rate": "0.5"}, ("rate",), "number.*'0.5'"),
        ({"steps": 3, "flip": 1}, ("flip",), "boolean.*1"),
        ({"steps": 3, "form": "Gram"}, ("form",), "'gram' or 'raw'.*'Gram'"),
        ({"steps": 3, "sizes": [8, "x" * 1000]}, ("sizes", 1), r"integer.*'x{199}\.\.\."),
        ({"steps": 3, "stpes": 4}, ("stpes",), "4"),
    ],
)
def test_values_of_a_config_are_taken_as_they_are_written(content, place, found):
    """A number is a number and not a text; what is unknown is refused."""
    with pytest.raises(ValidationError) as error:
        Example.model_validate(content)
    (first,) = error.value.errors()
    assert first["loc"] == place
    sentence = options.sentence(first)
    assert re.search(found, sentence)
    assert sentence[0].islower()


def test_options_stay_as_they_are():
    with pytest.raises(ValidationError):
        Example(steps=3).steps = 4


@pytest.mark.parametrize(
    "given",
    [
        Example(steps=3),
        Example(steps=100, rate=1e-7, form="raw", flip=False, first_few=4, sizes=[8]),
        Recipe(),
        Recipe(epochs=1, batch_size=7, learning_rate=0.1 + 0.2, schedule="step", flip=False, mixed_precision=True),
        ProbeRecipe(pool=True, flip=False),
        DumpOptions(form="raw16", examples=1000),
    ],
    ids=lambda given: type(given).__name__,
)
def test_words_of_a_command_line_bring_the_same_options_back(given):
    assert parsed(options.words(given), type(given)) == given


def test_words_are_in_the_order_of_names_and_leave_out_what_has_no_value():
    words = options.words(Example(sizes=[8, 16], steps=3, flip=False))
    assert words == "--no-flip --form gram --rate 0.5 --sizes 8 16 --steps 3"
    assert options.words(Example(steps=3), without=("form", "rate", "sizes")) == "--flip --steps 3"


def test_a_word_that_a_shell_would_divide_is_quoted():
    assert options.option("colour_map", "a b; c") == "--colour-map 'a b; c'"
    assert shlex.split(options.option("kinds", ["add", "b n"])) == ["--kinds", "add", "b n"]


def test_an_option_can_be_left_out_of_a_command_line():
    assert parsed("--steps 3", without=("rate",)) == Example(steps=3)
    with pytest.raises(SystemExit):
        parsed("--steps 3 --rate 1", without=("rate",))


def test_help_has_the_description_and_the_default():
    parser = argparse.ArgumentParser()
    options.add_arguments(parser, Example)
    shown = " ".join(parser.format_help().split())
    assert "--steps STEPS How many steps" in shown
    assert "--rate RATE Share of the images, up to 100% (default: 0.5)" in shown
    assert "--form {gram,raw} What is kept (default: gram)" in shown
    assert "--flip, --no-flip Mirror images (default: yes)" in shown
    assert "--first-few FIRST_FEW The first so many; left out, all --sizes" in shown
    assert "Sizes to try (default: 16 64)" in shown


@pytest.mark.parametrize("kind", [Recipe, ProbeOptions, ProbeRecipe, DumpOptions])
def test_every_option_of_a_program_has_a_description_and_every_number_a_bound(kind):
    for name, field in kind.model_fields.items():
        assert field.description.endswith("."), name
        if options.kind_of(field.annotation) in (int, float):
            bounds = {type(bound).__name__ for bound in field.metadata}
            assert bounds & {"Ge", "Gt"}, name
            assert bounds & {"Le", "Lt"}, name
