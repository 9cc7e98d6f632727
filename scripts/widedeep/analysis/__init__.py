"""The paper's questions, a module each, answered in numbers.

Block structure (section 4), first components (5.1), linear probes and deleted blocks (5.2), pairs of networks (6), examples
and classes (7), convergence of CKA (appendix A), agreement of predictions (G). Imports `training` and what stands before
it.
"""
