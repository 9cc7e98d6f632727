"""Training of one network: the recipe, the loop, the optimiser, checkpoints, several devices.

The paper's section 3 and its appendix B. Imports `data` and what stands before it.
"""
