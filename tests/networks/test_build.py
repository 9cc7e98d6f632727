"""Networks from the names of their families: which weights they start with, and from what these follow."""

import own_families
import pytest
import small
import torch
from torch import nn

from widedeep.names import Configuration
from widedeep.networks import families
from widedeep.networks.build import build, build_for, without_weights
from widedeep.runtime.errors import UserError


def built(seed=1, family="own", **more):
    return build(family, 2, 1, 3, 1, 0.1, torch.Generator().manual_seed(seed), **more)


def test_all_initial_weights_follow_from_the_seed(family):
    family(own_families.DRAWING)
    torch.manual_seed(0)
    first = built()
    torch.manual_seed(1)
    again, other = built(), built(2)
    assert small.same(first, again)
    assert not torch.equal(first.conv.weight, other.conv.weight)
    assert not torch.equal(first.scale.factors, other.scale.factors)


def test_building_a_network_leaves_torch_s_generator_as_it_was(family):
    family(own_families.DRAWING)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    built()
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(("name", "depth"), [("resnet", 8), ("plain", 8), ("bottleneck", 50), ("stagethree", 35)])
def test_the_paper_s_families_have_he_normal_weights_from_the_generator_alone(name, depth):
    made = build(name, depth, 0.25, 10, 3, 0.1, torch.Generator().manual_seed(7))
    generator = torch.Generator().manual_seed(7)
    for module in made.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            expected = nn.init.kaiming_normal_(
                torch.empty_like(module.weight), nonlinearity="relu", generator=generator
            )
            assert torch.equal(module.weight, expected)


def test_a_family_that_initialises_itself_keeps_its_weights(family):
    family(own_families.INITIALISED)
    weight, bias = built()[1].weight, built()[1].bias
    torch.testing.assert_close(weight @ weight.T, torch.eye(3))
    assert (bias == 0.5).all()
    assert torch.equal(weight, built()[1].weight)
    family(own_families.INITIALISED.replace("True", "False"))
    assert not built()[1].bias.any()


def test_a_family_that_asks_for_the_size_of_images_gets_it(family):
    family(own_families.SIZED)
    assert built(image_size=(6, 7)).logits.in_features == 42
    assert build_for(Configuration("any", "own", 2, 1.0, 1.0), (3, 6, 7), 5).logits.in_features == 3 * 42


@pytest.mark.parametrize("family", families.names())
def test_a_network_without_weights_has_the_shapes_of_the_one_with_them(family):
    depth = 35 if family == "stagethree" else 50
    configuration = Configuration("any", family, depth, 0.25, 1.0)
    bare = without_weights(configuration, (3, 32, 32), 10)
    made = build(family, depth, 0.25, 10, 3)
    assert {parameter.device.type for parameter in bare.parameters()} == {"meta"}
    shapes = [[(name, part.shape) for name, part in one.named_parameters()] for one in (bare, made)]
    assert shapes[0] == shapes[1]


def test_an_unknown_family_is_refused():
    with pytest.raises(UserError, match="'vgg'.*bottleneck, plain, resnet, stagethree.*families"):
        build("vgg", 8, 1, 3, 1)
