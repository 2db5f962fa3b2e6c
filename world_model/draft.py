"""A next frame while it is drawn: which tokens are decided, which of those change, and to which glyph."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Draft:
    """Decisions on the tokens of X frames [X, N]."""

    known_XN: Tensor  # bool: decided
    changes_XN: Tensor  # bool: of those decided, the ones that do not stay as they are
    glyph_XN: Tensor  # int64: what these change to

    @classmethod
    def empty(cls, base_XND: Tensor) -> Draft:
        """Nothing is decided of what follows these.

        Example:
            >>> Draft.empty(torch.zeros(1, 2, 4)).known_XN.tolist()
            [[False, False]]
        """
        glyph_XN = torch.zeros(base_XND.shape[:2], dtype=torch.int64, device=base_XND.device)
        undecided = torch.zeros_like(glyph_XN, dtype=torch.bool)
        return cls(undecided, undecided.clone(), glyph_XN)

    def contents(self, base_XND: Tensor, contents_VD: Tensor) -> Tensor:
        """The frames as far as they are decided [X, N, D]; the base elsewhere."""
        written_XN = self.known_XN & self.changes_XN
        return torch.where(written_XN[..., None], contents_VD[self.glyph_XN], base_XND)
