"""Similarity of layers, computed from the Gram matrices of minibatches (paper, section 3, equations 1 to 3).

HSIC and minibatch CKA, first principal components and their removal, and further measures in `kinds`. For layers as
arrays, numpy is enough. `layer_similarity` takes any torch network.

Imports `runtime`; `layer_similarity` and `on_device` also import `networks`, and `lanczos` torch.
"""
