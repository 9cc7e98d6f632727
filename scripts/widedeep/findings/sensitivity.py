"""How many networks have a block structure, by the contrast from which a range of layers counts as one."""

import pandas as pd

from widedeep.findings.verdicts import name_and_layers

# The threshold of the rule, 0.06, and others around it: between 0.05 and 0.09 what the eye sees is a continuum.
CONTRASTS = (0.04, 0.06, 0.08, 0.10)


def sensitivity(networks):
    """Count the networks with a block structure at several thresholds.

    Args:
        networks: DataFrame of scripts/summarise.py.

    Returns:
        DataFrame with a line per configuration: configuration, networks, contrast (mean, smallest and largest, in
        words), and a count for each of CONTRASTS, all as text
    """
    lines = []
    for _, part in networks.groupby(["family", "fraction", "depth", "width"], sort=False):
        contrasts = part.contrast.dropna()
        line = {"configuration": name_and_layers(part), "networks": str(len(part))}
        if contrasts.empty:
            line["contrast"] = "too few residual blocks"
        else:
            line["contrast"] = f"{contrasts.mean():.3f} ({contrasts.min():.3f} to {contrasts.max():.3f})"
            line |= {f"{least:.2f}": str((contrasts >= least).sum()) for least in CONTRASTS}
        lines.append(line)
    columns = ["configuration", "networks", "contrast", *(f"{least:.2f}" for least in CONTRASTS)]
    return pd.DataFrame(lines, columns=columns).fillna("")
