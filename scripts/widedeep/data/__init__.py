"""Data sets: what is known of each, where it comes from, and how its images reach a network.

The paper's section 3, data sets and augmentation. Imports `formats` and what stands before it.
"""
