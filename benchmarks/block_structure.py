"""The rule for the block structure on eight labelled heatmaps: by threshold, and by the kinds of layers that are in.

The heatmaps are those of tests/analysis/cifar10_heatmaps.npz: networks that were trained with the paper's recipe on the
first 3,000 images of CIFAR-10. Prints Markdown tables for docs/method.md.

Example (from the folder of the workflow):
  python benchmarks/block_structure.py
"""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from widedeep.analysis.block_structure import block_of_network  # noqa: E402
from widedeep.findings.sensitivity import CONTRASTS  # noqa: E402

HEATMAPS = ROOT / "tests/analysis/cifar10_heatmaps.npz"
KINDS = {
    "all layers": None,
    "convolutions": ["conv"],
    "batch norms": ["bn"],
    "ReLUs": ["relu"],
    "additions": ["add"],
    "ReLUs and additions": ["relu", "add"],
}


def main():
    arrays = np.load(HEATMAPS)
    networks = sorted({key.split("/")[0] for key in arrays}, key=lambda name: (len(name), name))
    found = {name: {title: block_of(arrays, name, kinds) for title, kinds in KINDS.items()} for name in networks}
    print("\n".join([*by_kind(found), "", *by_threshold(found)]))


def block_of(arrays, name, kinds):
    """The block_structure.Block of one heatmap, of the layers of some kinds; None takes all."""
    kind, stages, blocks = (arrays[f"{name}/{key}"] for key in ("kind", "stage", "block"))
    cka = np.eye(len(kind))
    cka[np.triu_indices(len(kind), 1)] = arrays[f"{name}/cka"]
    cka = np.maximum(cka, cka.T)
    chosen = np.flatnonzero(np.isin(kind, kinds or np.unique(kind)))
    return block_of_network(cka[np.ix_(chosen, chosen)], stages[chosen].tolist(), blocks[chosen].tolist())


def by_kind(found):
    """Lines of the table of contrasts by kinds of layers."""
    lines = [f"| network | {' | '.join(KINDS)} |", "|---" * (len(KINDS) + 1) + "|"]
    for name, blocks in found.items():
        cells = (
            f"**{block.contrast:.3f}**" if block.is_block else f"{block.contrast:.3f}" for block in blocks.values()
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def by_threshold(found):
    """Lines of the table of networks with a block structure by threshold."""
    contrasts = np.array([blocks["all layers"].contrast for blocks in found.values()])
    words = [f"{least:.2f}" for least in CONTRASTS]
    counts = [str(int((contrasts >= least).sum())) for least in CONTRASTS]
    return [
        f"| contrast from | {' | '.join(words)} |",
        "|---" * (len(words) + 1) + "|",
        f"| networks | {' | '.join(counts)} |",
    ]


if __name__ == "__main__":
    main()
