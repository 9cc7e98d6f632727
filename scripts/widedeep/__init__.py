"""Similarity of the layers of neural networks, and the reproduction of Nguyen, Raghu and Kornblith (ICLR 2021).

For layers as arrays, numpy is enough:

    cka             CKA between two layers
    MinibatchCKA    CKA between all pairs of layers, one minibatch at a time
    find_block      the block structure in a matrix of CKA

For networks, with torch:

    layer_similarity    similarity between all layers of any torch network, or of two
    layer_cka           the same by CKA alone
    LayerSimilarity     the result; it also reads what a result wrote

Each is imported when it is asked for, so that `import widedeep` loads neither numpy nor torch.

The packages, in the order in which data flow: `runtime`, `networks`, `measures`, `formats`, `data`, `training`,
`analysis`, `findings`, `figures`, `study`, `planning`. A package imports those before it and none after it. `names` and
`paper` hold plain records, import nothing of the project, and are imported by all.
"""

import importlib

__version__ = "0.1.0"

# The module of each name; __init__.pyi tells type checkers the same.
_MODULES = {
    "LayerSimilarity": "widedeep.measures.result",
    "MinibatchCKA": "widedeep.measures.cka",
    "cka": "widedeep.measures.cka",
    "find_block": "widedeep.analysis.block_structure",
    "layer_cka": "widedeep.measures.layer_similarity",
    "layer_similarity": "widedeep.measures.layer_similarity",
}
__all__ = [*_MODULES]


def __getattr__(name):
    """Import a public name on first use (PEP 562).

    Raises:
        AttributeError: there is no such name.
        ImportError: the name needs torch, which is not installed.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = importlib.import_module(_MODULES[name])
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        sentence = f'widedeep.{name} needs torch, which is not installed; pip install "layer-similarity[torch]" does.'
        raise ImportError(sentence, name="torch") from error
    # Found directly from now on.
    return globals().setdefault(name, getattr(module, name))


def __dir__():
    return sorted({*globals(), *__all__})
