"""ResNets for CIFAR, depth 6n + 2 (He et al. 2016): the networks of the paper's main grid."""

from widedeep.networks.depths import blocks_per_stage as check_depth  # noqa: F401 (called before anything runs)

title = "ResNet"


def build(depth, width, classes, channels, batchnorm_momentum):
    from widedeep.networks.cifar_resnet import CifarResNet

    return CifarResNet(depth, width, classes, channels, residual=True, batchnorm_momentum=batchnorm_momentum)
