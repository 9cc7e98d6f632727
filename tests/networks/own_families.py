"""Files of families that a user may write."""

# All that He-normal weights of Conv2d and Linear leave alone, and dropout.
DRAWING = """
def build(depth, width, classes, channels, batchnorm_momentum):
    import torch
    from torch import nn

    class Scale(nn.Module):
        def __init__(self):
            super().__init__()
            self.factors = nn.Parameter(torch.randn(16))

        def forward(self, x):
            return x * self.factors

    network = nn.Sequential()
    network.flatten = nn.Flatten(2)
    network.conv = nn.Conv1d(channels, 16, 64)
    network.flat = nn.Flatten()
    network.scale = Scale()
    network.drop = nn.Dropout(0.5)
    network.logits = nn.Linear(16, classes)
    return network
"""
INITIALISED = """
initialises_itself = True


def build(depth, width, classes, channels, batchnorm_momentum):
    from torch import nn

    network = nn.Sequential(nn.Flatten(), nn.Linear(channels * 64, classes))
    nn.init.orthogonal_(network[1].weight)
    nn.init.constant_(network[1].bias, 0.5)
    return network
"""
SIZED = """
def build(depth, width, classes, channels, batchnorm_momentum, image_size):
    from torch import nn

    height, width = image_size
    assert type(image_size) is tuple
    network = nn.Sequential()
    network.flatten = nn.Flatten()
    network.logits = nn.Linear(channels * height * width, classes)
    return network
"""
TIED = """
def build(depth, width, classes, channels, batchnorm_momentum):
    from torch import nn

    network = nn.Sequential()
    network.flatten = nn.Flatten()
    network.first = nn.Linear(channels * 64, channels * 64)
    network.second = nn.Linear(channels * 64, channels * 64)
    network.second.weight = network.first.weight
    network.logits = nn.Linear(channels * 64, classes)
    return network
"""
# What networks/families.py says of such a file, with all that it may have.
MLP = '''
"""Multilayer perceptrons of `depth` dense layers, at least two."""

from widedeep.runtime.errors import UserError

title = "MLP"


def check_depth(depth):
    if depth < 2:
        raise UserError(f"depth {depth} is too small; use at least 2.")


def build(depth, width, classes, channels, batchnorm_momentum, image_size):
    from torch import nn

    network = nn.Sequential()
    network.flatten = nn.Flatten()
    features = channels * image_size[0] * image_size[1]
    for layer in range(1, depth):
        network.add_module(f"dense{layer}", nn.Linear(features, round(32 * width)))
        network.add_module(f"gelu{layer}", nn.GELU())
        features = round(32 * width)
    network.logits = nn.Linear(features, classes)
    return network
'''
