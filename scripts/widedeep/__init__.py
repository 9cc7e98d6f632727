"""What the stages of the workflow share.

`widedeep.cka` needs numpy and scipy alone and is usable as a library.
"""
