"""ImageNet ResNets of bottleneck blocks, with a depth and a width for each stage."""

from torch import nn

from widedeep.networks.modules import Add
from widedeep.runtime.errors import UserError


class BottleneckBlock(nn.Module):
    """A residual block of 1x1, 3x3 and 1x1 convolutions, conv-BN-ReLU, with the last ReLU after the addition.

    The 3x3 convolution has the stride. The shortcut of a block that changes the shape is a 1x1 convolution with batch
    norm. The scale of the last batch norm starts at 0, so that a block starts as the identity.
    """

    expansion = 4

    def __init__(self, channels_in, channels, stride, batchnorm_momentum):
        super().__init__()
        channels_out = self.expansion * channels
        self.conv1 = nn.Conv2d(channels_in, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels, momentum=batchnorm_momentum)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels, momentum=batchnorm_momentum)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(channels, channels_out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels_out, momentum=batchnorm_momentum)
        nn.init.zeros_(self.bn3.weight)
        self.shortcut = nn.Sequential()
        if stride != 1 or channels_in != channels_out:
            self.shortcut.conv = nn.Conv2d(channels_in, channels_out, 1, stride, bias=False)
            self.shortcut.bn = nn.BatchNorm2d(channels_out, momentum=batchnorm_momentum)
        self.add = Add()
        self.relu3 = nn.ReLU()

    def forward(self, x):  # (batch, channels_in, height, width)
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.relu2(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        return self.relu3(self.add(out, self.shortcut(x)))  # (batch, 4 channels, height / stride, width / stride)


class ImagenetResNet(nn.Module):
    """Four stages of bottleneck blocks; with 3, 4, 6, 3 blocks and widths 1 this is torchvision's resnet50.

    Args:
        blocks: number of residual blocks of each stage.
        widths: multiplier of the filters of each stage: 64, 128, 256, 512, and four times as many at a block's end.
            Numbers of filters are rounded.
        classes: number of logits.
        channels: of the input images, which may have any size.
        batchnorm_momentum: weight of the new batch (torch's convention).

    Raises:
        UserError: a width leaves no filter.
    """

    def __init__(self, blocks, widths, classes, channels=3, batchnorm_momentum=0.1):
        super().__init__()
        filters = [round(base * width) for base, width in zip((64, 128, 256, 512), widths, strict=True)]
        if min(filters) < 1:
            raise UserError(f"width multiplier {min(widths):g} leaves no filter in a stage; use a larger one.")
        self.stem = nn.Sequential()
        self.stem.conv = nn.Conv2d(channels, 64, 7, 2, padding=3, bias=False)
        self.stem.bn = nn.BatchNorm2d(64, momentum=batchnorm_momentum)
        self.stem.relu = nn.ReLU()
        self.stem.pool = nn.MaxPool2d(3, 2, padding=1)
        channels_in = 64
        for stage, (number, channels_of_stage) in enumerate(zip(blocks, filters, strict=True), start=1):
            sequence = nn.Sequential()
            for block in range(1, number + 1):
                stride = 2 if stage > 1 and block == 1 else 1
                module = BottleneckBlock(channels_in, channels_of_stage, stride, batchnorm_momentum)
                sequence.add_module(f"block{block}", module)
                channels_in = BottleneckBlock.expansion * channels_of_stage
            self.add_module(f"stage{stage}", sequence)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.logits = nn.Linear(channels_in, classes)

    def forward(self, x):  # (batch, channels, height, width)
        x = self.stem(x)
        x = self.stage4(self.stage3(self.stage2(self.stage1(x))))
        return self.logits(self.pool(x).flatten(1))  # (batch, classes)
