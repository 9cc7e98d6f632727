"""Networks built by the name of their family, with initial weights from a seed or without any."""

import inspect

import torch
from torch import nn

from widedeep.networks import families


def build(family, depth, width, classes, channels, batchnorm_momentum=0.01, generator=None, image_size=None):
    """Build a network; Conv2d and Linear get He-normal weights and zero biases, unless the family initialises itself.

    Random numbers that a family draws from torch's global generator follow from the seed of `generator` too.

    Args:
        family: one of families.names().
        depth, width, classes, channels, batchnorm_momentum: see networks/families.py.
        generator: torch.Generator of the initial weights; None for a network that gets saved weights.
        image_size: (height, width), for families whose `build` has this parameter.

    Returns:
        torch.nn.Module

    Raises:
        UserError: unknown family, or impossible depth or width.
    """
    families.check_depth(family, depth)
    file = families.load(family)
    asked = {"image_size": image_size} if "image_size" in inspect.signature(file.build).parameters else {}
    with torch.random.fork_rng(devices=[]):
        if generator is not None:
            torch.default_generator.manual_seed(generator.initial_seed())
        network = file.build(depth, width, classes, channels, batchnorm_momentum, **asked)
    if generator is not None and not getattr(file, "initialises_itself", False):
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
    return network


def build_for(configuration, image_shape, classes, batchnorm_momentum=0.01, generator=None):
    """Build the network of a names.Configuration; see `build`.

    Args:
        configuration: names.Configuration.
        image_shape: (channels, height, width).
        classes: number of classes.
        batchnorm_momentum: weight of the new batch (torch's convention).
        generator: torch.Generator of the initial weights, or None.
    """
    channels, *size = image_shape
    family, depth, width = configuration.family, configuration.depth, configuration.width
    return build(family, depth, width, classes, channels, batchnorm_momentum, generator, tuple(size))


def without_weights(configuration, image_shape, classes):
    """Build the network of a names.Configuration on torch's meta device, which has shapes and no numbers.

    It is in evaluation mode. Hundreds of networks take seconds.

    Args:
        configuration, image_shape, classes: see `build_for`.
    """
    with torch.device("meta"):
        return build_for(configuration, image_shape, classes).eval()
