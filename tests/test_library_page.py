"""The examples of the page for users of the library, and the first one of the README, run as they stand there."""

import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
import torchvision
import transformers

matplotlib.use("Agg")

PAGE = Path("docs/layer-similarity.md")


def examples(path):
    """The Python blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


def what_readers_have():
    """The names that the pages take for granted."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=100, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    x, y = np.random.default_rng(0).standard_normal((2, 512, 10))
    return {
        "torch": torch,
        "images": torch.randn(512, 3, 32, 32),
        "labels": torch.zeros(512),
        "second": torchvision.models.resnet18().eval(),
        "bert": transformers.BertModel(config).eval(),
        "input_ids": torch.randint(100, (256, 8)),
        "attention_mask": torch.ones(256, 8, dtype=torch.long),
        "x": x,
        "y": y,
        "activations": [([a, a[:, :3]], [b]) for a, b in zip(np.split(x, 2), np.split(y, 2), strict=True)],
    }


@pytest.fixture(scope="module")
def page():
    """The names that the page's examples define."""
    names = what_readers_have()
    exec("\n".join(examples(PAGE)), names)
    return names


def test_the_examples_give_what_the_page_says(page):
    assert (page["found"].minibatches, page["found"].batch_size) == (4, 128)
    assert page["between"].values.shape == page["found"].values.shape == (60, 60)
    assert page["found_in_text"].names_first == ["encoder.layer.0", "encoder.layer.1"]
    assert [page["blocks"][0], page["blocks"][-1]] == ["stem", "layer4.1"]
    assert list(page["several"].measures) == ["cka", "deflated"]
    assert page["similarity"].result().values.shape == (2, 1)


def test_patterns_of_the_page_choose_what_it_says():
    from widedeep import layer_similarity

    names = what_readers_have()
    vit = torchvision.models.VisionTransformer(32, 16, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8).eval()
    text = names["bert"], {"input_ids": names["input_ids"]}
    rows = [
        (names["second"], names["images"], "layer*.*", [f"layer{s}.{b}" for s in (1, 2, 3, 4) for b in (0, 1)]),
        (names["second"], names["images"], "**.conv2", [f"layer{s}.{b}.conv2" for s in (1, 2, 3, 4) for b in (0, 1)]),
        (vit, names["images"], "encoder.layers.*", [f"encoder.layers.encoder_layer_{block}" for block in (0, 1)]),
        (*text, "encoder.layer.*", ["encoder.layer.0", "encoder.layer.1"]),
        (*text, "encoder.layer.*.attention", ["encoder.layer.0.attention", "encoder.layer.1.attention"]),
    ]
    for network, data, pattern, chosen in rows:
        assert f"| `{pattern}` |" in PAGE.read_text()
        assert layer_similarity(network, data, layers=pattern, progress=False).names_first == chosen
    stage = layer_similarity(names["second"], names["images"], layers="layer4.**", progress=False).names_first
    assert {"layer4", "layer4.0", "layer4.1.conv2"} <= set(stage)
    assert {name[:6] for name in stage} == {"layer4"}


def test_the_first_lines_of_the_readme_run():
    names = what_readers_have()
    exec(examples(Path("README.md"))[0], names)
    assert names["found"].values.shape == (60, 60)
