"""The CIFAR ResNets without additions, that is without residual connections (paper, appendix C)."""

from widedeep.networks.depths import blocks_per_stage as check_depth  # noqa: F401 (called before anything runs)

title = "Plain"


def build(depth, width, classes, channels, batchnorm_momentum):
    from widedeep.networks.cifar_resnet import CifarResNet

    return CifarResNet(depth, width, classes, channels, residual=False, batchnorm_momentum=batchnorm_momentum)
