"""Modules for operations that torch has only as functions, so that they are layers."""

from torch import nn


class Add(nn.Module):
    """The addition of a residual block: two tensors of one shape in, their sum out."""

    def forward(self, residual, shortcut):
        return residual + shortcut
