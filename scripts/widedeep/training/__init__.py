"""Training of one network: recipe, loop, optimiser, checkpoints, several devices.

Section 3 of the paper and its appendix B. Imports `data` and the packages before it.
"""
