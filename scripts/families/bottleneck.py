"""ResNets for ImageNet with all stages scaled (paper, appendix D): ResNet-50 with more blocks and filters.

Depth 48k + 2 has k times the blocks 3, 4, 6, 3. The width multiplier scales all stages, but not the stem.
"""

from widedeep.runtime.errors import UserError

title = "ResNet (bottleneck)"


def check_depth(depth):
    """Return the numbers of residual blocks of the four stages.

    Raises:
        UserError: the depth is not 48k + 2.
    """
    if depth < 50 or (depth - 2) % 48:
        raise UserError(f"depth {depth} is not 48k + 2; use 50, 98, 146 or the like.")
    return [blocks * (depth - 2) // 48 for blocks in (3, 4, 6, 3)]


def build(depth, width, classes, channels, batchnorm_momentum):
    from widedeep.networks.imagenet_resnet import ImagenetResNet

    return ImagenetResNet(check_depth(depth), [width] * 4, classes, channels, batchnorm_momentum)
