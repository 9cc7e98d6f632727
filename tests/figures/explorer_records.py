"""Records of networks as the explorer's page holds them, without a file."""


def network(label, contrast=0.0, accuracy=0.9, **keys):
    """The record of a network of four layers; without a contrast it has too few residual blocks."""
    model, seed = label.split("/")
    known = {"family": "resnet", "depth": 14, "width": 1, "fraction": 1, "probes": [], "undefined": []}
    known |= {"train_accuracy": accuracy, "test_accuracy": accuracy, "share": [0.5] * 4}
    block = None if contrast is None else {"start": 1, "stop": 4, "size": 0.75, "contrast": contrast, "deflated": 0.0}
    return {"label": label, "model": model, "seed": seed, "block": block} | known | keys
