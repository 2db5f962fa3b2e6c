"""What lanes show, square by square: only squares whose tokens changed are painted anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from world_model.examine import Examine, look_away
from world_model.grids import squares_of
from world_model.pixels import from_levels, to_frames, to_levels, to_pixels
from world_model.tokenizer import Tokenizer


@dataclass
class Picture:
    """The frames of B lanes, and how strange each square in them is. Never written to: whoever was shown it keeps it.

    Strange is what the tokenizer, looking at what it has painted, takes for something else. It has learned to bring
    latents back to those of real frames, so it leaves alone what is like real frames, and moves what it has not seen:
    half a ball at the edge of a square, digits between two scores. What is missing altogether (a dream without a ball)
    is nothing that this could see.
    """

    frames_BHWC: Tensor  # uint8
    strangeness_BN: Tensor  # mean square by which a token's latents are moved

    @classmethod
    def of(cls, tokenizer: Tokenizer, latents_BND: Tensor, examine: Examine = look_away) -> Picture:
        """All of it painted."""
        pixels_BCHW = tokenizer.decode(latents_BND)
        examine(pixels_BCHW, "pixels")
        frames_BHWC = to_frames(pixels_BCHW).contiguous()
        moved_BND = tokenizer.encode(to_pixels(frames_BHWC)) - latents_BND
        return cls(frames_BHWC, moved_BND.square().mean(-1))

    def repainted(
        self, tokenizer: Tokenizer, latents_BND: Tensor, changed_BN: Tensor, examine: Examine = look_away
    ) -> Picture:
        """The picture of latents of which some changed, and the others are as they were when they were painted."""
        lane_Y, place_Y = changed_BN.nonzero(as_tuple=True)
        latents_YD = latents_BND[changed_BN]
        painted_YSSC = tokenizer.paint(latents_YD, place_Y)
        examine(painted_YSSC, "pixels", lane_Y)
        levels_YSSC = to_levels(painted_YSSC)
        frames_BHWC, columns = self.frames_BHWC.clone(), tokenizer.grid[1]
        squares_of(frames_BHWC, tokenizer.grid)[lane_Y, place_Y // columns, place_Y % columns] = levels_YSSC
        strangeness_BN = self.strangeness_BN.clone()
        moved_YD = tokenizer.read(from_levels(levels_YSSC), place_Y) - latents_YD
        strangeness_BN[changed_BN] = moved_YD.square().mean(-1)
        return Picture(frames_BHWC, strangeness_BN)

    def select(self, lanes: Tensor) -> Picture:
        """A copy of some lanes, in the order asked for, a lane as often as it is named."""
        return Picture(self.frames_BHWC[lanes], self.strangeness_BN[lanes])

    def with_lanes(self, lanes: Tensor, other: Picture) -> Picture:
        """Some lanes replaced by those of another picture."""
        return Picture(
            self.frames_BHWC.index_copy(0, lanes, other.frames_BHWC),
            self.strangeness_BN.index_copy(0, lanes, other.strangeness_BN),
        )

    @staticmethod
    def concatenated(parts: Sequence[Picture]) -> Picture:
        """The lanes of several pictures after each other."""
        return Picture(
            torch.cat([part.frames_BHWC for part in parts]), torch.cat([part.strangeness_BN for part in parts])
        )
