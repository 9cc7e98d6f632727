"""The claim on minibatch CKA (paper, appendix A)."""

from widedeep.findings.verdicts import CONVERGED, NOT_DECIDABLE, finding, verdict


def by_batch_size(convergence):
    """Appendix A: after all minibatches the unbiased estimate is that of the full batch, for every batch size."""
    claim = "convergence"
    if convergence.empty or convergence.batch_size.nunique() < 2:
        return finding(claim, "", NOT_DECIDABLE, "the config has no figure A with several batch sizes")
    convergence = convergence.dropna(subset=["unbiased", "full_batch"])
    if convergence.empty:
        return finding(claim, "", NOT_DECIDABLE, "no two layers of the network have a CKA")
    last = convergence[convergence.minibatches == convergence.groupby("batch_size").minibatches.transform("max")]
    means = last.groupby(["first", "second", "batch_size"])[["unbiased", "biased", "full_batch"]].mean()
    apart = means[["unbiased", "biased"]].sub(means.full_batch, axis=0).abs().max()
    number = f"largest distance to the full-batch value {apart.unbiased:.3f}, with the biased HSIC {apart.biased:.3f}"
    sizes = ", ".join(map(str, sorted(last.batch_size.unique())))
    return finding(claim, number, verdict(apart.unbiased <= CONVERGED), f"minibatches of {sizes} examples")
