"""The paper's questions, answered in numbers, one module each.

    block_structure         the block structure and its size (section 4)
    similarity              all layers of networks from their dumps (sections 3, 4 and 6)
    first_components        first principal components over the whole test set (section 5.1)
    probes, deletion        linear probes, and residual blocks deleted one by one (section 5.2)
    examples                wide against deep networks on single examples and classes (section 7)
    convergence             minibatch CKA by number and size of minibatches (appendix A)
    published               accuracies that others published (appendix B)
    agreement               agreement of predictions (appendix G)

`activations` runs a network once and writes what the others read. Imports `training` and the packages before it.
"""
