"""Test accuracies that others published for the same networks (table of appendix B)."""

SOURCE = (
    "He, Zhang, Ren and Sun, *Deep Residual Learning for Image Recognition*, CVPR 2016, table 6: of one training, for "
    "depth 110 the best of five (of mean 93.39 ± 0.16). Their recipe is another one: learning rate 0.1 in steps, about "
    "164 epochs, half our L2 penalty, zero padding, shortcuts without weights."
)
SHORT = "He et al."
# (data set, family, depth, width): test accuracy, trained on the whole training set.
_TEST_ACCURACIES = {
    ("cifar10", "resnet", 20, 1): 0.9125,
    ("cifar10", "resnet", 32, 1): 0.9249,
    ("cifar10", "resnet", 44, 1): 0.9283,
    ("cifar10", "resnet", 56, 1): 0.9303,
    ("cifar10", "resnet", 110, 1): 0.9357,
}


def test_accuracy(dataset, family, depth, width, fraction):
    """Published test accuracy of a configuration, from 0 to 1; NaN where none is known.

    Args:
        dataset, family, depth, width, fraction: as in names.Configuration.
    """
    known = _TEST_ACCURACIES if fraction == 1 else {}
    return known.get((dataset, family, depth, width), float("nan"))
