"""ResNets for ImageNet with only stage 3 scaled (paper, section 3): 3, 4, n and 3 blocks, depth 3n + 32.

ResNet-50 has 6 blocks in stage 3, ResNet-83 has 17. The width multiplier scales stage 3 alone.
"""

from widedeep.runtime.errors import UserError

title = "ResNet (stage 3)"


def check_depth(depth):
    """Return the numbers of residual blocks of the four stages.

    Raises:
        UserError: the depth is not 3n + 32.
    """
    if depth < 35 or (depth - 32) % 3:
        raise UserError(f"depth {depth} is not 3n + 32; use 50, 53, 83 or the like.")
    return [3, 4, (depth - 32) // 3, 3]


def build(depth, width, classes, channels, batchnorm_momentum):
    from widedeep.networks.imagenet_resnet import ImagenetResNet

    return ImagenetResNet(check_depth(depth), [1, 1, width, 1], classes, channels, batchnorm_momentum)
