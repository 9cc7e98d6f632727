"""The CIFAR ResNets (He et al. 2016, section 4.2), scaled in depth and width as in the paper.

Each operation is a named module (`stage2.block3.add`), works out of place, and is defined in the order in which it
runs. So the layers of a network are a list that can be read, hooked and compared.
"""

from torch import nn

from widedeep.networks.depths import blocks_per_stage
from widedeep.networks.modules import Add
from widedeep.runtime.errors import UserError


class BasicBlock(nn.Module):
    """A residual block of two 3x3 convolutions, conv-BN-ReLU, with the second ReLU after the addition.

    The convolutions have no bias; the authors' code has one everywhere. A batch norm cancels a bias before it, and the
    shift of `bn2` does the work of a bias in the shortcut. The shortcut of a block that changes the shape is a 1x1
    convolution without batch norm.
    """

    def __init__(self, channels_in, channels, stride, residual, batchnorm_momentum):
        super().__init__()
        self.residual = residual
        keeps_shape = stride == 1 and channels_in == channels
        self.conv1 = _conv3x3(channels_in, channels, stride)
        self.bn1 = _batch_norm(channels, batchnorm_momentum)
        self.relu1 = nn.ReLU()
        self.conv2 = _conv3x3(channels, channels, 1)
        self.bn2 = _batch_norm(channels, batchnorm_momentum)
        if residual:
            self.shortcut = None if keeps_shape else nn.Conv2d(channels_in, channels, 1, stride, bias=False)
            self.add = Add()
        self.relu2 = nn.ReLU()

    def forward(self, x):  # (batch, channels_in, height, width)
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.residual:
            out = self.add(out, x if self.shortcut is None else self.shortcut(x))
        return self.relu2(out)  # (batch, channels, height / stride, width / stride)


class CifarResNet(nn.Module):
    """Three stages of n residual blocks, with 16, 32 and 64 filters times the width multiplier; depth = 6n + 2.

    Args:
        depth: 8, 14, 20, ...
        width: width multiplier of all filters, also the stem's; numbers of filters are rounded.
        classes: number of logits.
        channels: of the input images, which may have any size.
        residual: False leaves out all additions (paper, appendix C).
        batchnorm_momentum: weight of the new batch (torch's convention).

    Raises:
        UserError: the depth is not 6n + 2, or the width leaves no filter.
    """

    def __init__(self, depth, width, classes, channels=3, residual=True, batchnorm_momentum=0.01):
        super().__init__()
        blocks = blocks_per_stage(depth)
        filters = [round(base * width) for base in (16, 32, 64)]
        if min(filters) < 1:
            raise UserError(f"width multiplier {width:g} leaves no filter in the first stage; use at least 1/16.")
        self.stem = nn.Sequential()
        self.stem.conv = _conv3x3(channels, filters[0], 1)
        self.stem.bn = _batch_norm(filters[0], batchnorm_momentum)
        self.stem.relu = nn.ReLU()
        channels_in = filters[0]
        for stage, channels_out in enumerate(filters, start=1):
            sequence = nn.Sequential()
            for block in range(1, blocks + 1):
                stride = 2 if stage > 1 and block == 1 else 1
                module = BasicBlock(channels_in, channels_out, stride, residual, batchnorm_momentum)
                sequence.add_module(f"block{block}", module)
                channels_in = channels_out
            self.add_module(f"stage{stage}", sequence)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.logits = nn.Linear(channels_in, classes)

    def forward(self, x):  # (batch, channels, height, width), values in [0, 1]
        x = self.stem(x)
        x = self.stage3(self.stage2(self.stage1(x)))
        return self.logits(self.pool(x).flatten(1))  # (batch, classes)


def _conv3x3(channels_in, channels_out, stride):
    return nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)


def _batch_norm(channels, momentum):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=momentum)
