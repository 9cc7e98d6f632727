"""Findings: which of the paper's claims a study reproduces, and the statistics that decide it.

`decide` collects all findings, and `verdicts` holds the thresholds. The claims are decided in `within` (sections 4 and
5.1, appendix C), `residual_blocks` (5.2), `between` (6), `predictions` (7, appendix G) and `minibatches` (appendix A).
`networks` chooses the networks that decide. `statistics` gives intervals for means over pairs of seeds.

Reads tables, no networks. Imports `analysis` and the packages before it.
"""
