"""The claim on minibatch CKA (paper, appendix A)."""

from widedeep.findings.verdicts import CONVERGED, NOT_DECIDABLE, finding, verdict


def convergence(table):
    """Appendix A: after all minibatches, unbiased CKA equals its full-batch value, for every batch size.

    Decided by the largest difference over pairs of layers and batch sizes, each a mean over orders of the examples.

    Args:
        table: DataFrame of scripts/converge_cka.py.

    Returns:
        Finding
    """
    claim = "convergence"
    if table.empty or table.batch_size.nunique() < 2:
        return finding(claim, "", NOT_DECIDABLE, "the config has no figure A with several batch sizes")
    table = table.dropna(subset=["unbiased", "full_batch"])
    if table.empty:
        return finding(claim, "", NOT_DECIDABLE, "no two layers of the network have a CKA")
    last = table[table.minibatches == table.groupby("batch_size").minibatches.transform("max")]
    means = last.groupby(["first", "second", "batch_size"])[["unbiased", "biased", "full_batch"]].mean()
    apart = means[["unbiased", "biased"]].sub(means.full_batch, axis=0).abs().max()
    number = f"largest distance to the full-batch value {apart.unbiased:.3f}, with the biased HSIC {apart.biased:.3f}"
    sizes = ", ".join(map(str, sorted(last.batch_size.unique())))
    return finding(claim, number, verdict(apart.unbiased <= CONVERGED), f"minibatches of {sizes} examples")
