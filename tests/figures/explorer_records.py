"""Records of networks as the explorer's page holds them, without a file."""


def network(label, share=0.0, accuracy=0.9, **keys):
    model, seed = label.split("/")
    known = {"family": "resnet", "depth": 14, "width": 1, "fraction": 1, "in_block": [0, 1, 1, 1], "probes": []}
    known |= {"train_accuracy": accuracy}
    return {"label": label, "model": model, "seed": seed, "share_in_block": share, "test_accuracy": accuracy} | (
        known | keys
    )
