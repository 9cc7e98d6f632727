"""Similarity of layers from the Gram matrices of minibatches: HSIC, minibatch CKA, deflation.

The paper's section 3, equations 1 to 3. Imports `runtime`, and of `networks` only what `layer_similarity` needs: on arrays
numpy is enough.
"""
