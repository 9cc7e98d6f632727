"""Training: recipe, loop, optimiser, checkpoints, one graph a step on CUDA, several networks or several devices.

Section 3 of the paper and its appendix B. Imports `data` and the packages before it.
"""
