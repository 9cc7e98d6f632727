"""Findings: which of the paper's claims a study reproduces, and the statistics that decide it.

`decide` collects all findings; `verdicts` holds their thresholds and the three verdicts. The claims are decided in
`within` (section 4, appendix C), `components` (5.1), `residual_blocks` (5.2), `between` (6), `predictions` (7, appendix
G) and `minibatches` (appendix A). `networks` chooses the networks that decide. `statistics` gives intervals and tests,
`sensitivity` counts block structures at other thresholds.

Reads tables, no networks. Imports `analysis` and the packages before it.
"""
