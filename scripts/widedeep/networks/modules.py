"""Operations that torch has only as functions, as modules, so that their outputs are layers."""

from torch import nn


class Add(nn.Module):
    """Residual addition."""

    def forward(self, residual, shortcut):
        return residual + shortcut
