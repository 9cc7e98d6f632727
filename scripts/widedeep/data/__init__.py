"""Data sets: records of the known ones, their sources, and the images on their way to a network.

Section 3 of the paper, data sets and augmentation. Imports `formats` and the packages before it.
"""
