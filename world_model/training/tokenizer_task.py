"""What the tokenizer is trained for: pictures in which what moves, and what differs from the still one, is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from data_gen.policy import Frames
from data_gen.split_cache import WindowBatch
from data_gen.windows import Windows
from world_model.conv_tokenizer import NEVER_STILL, ConvTokenizer
from world_model.pixels import to_pixels
from world_model.training.draws import Draws

_MOVED = 2  # grey levels: a pixel that changes by more moves
_GROUND = 0.05  # share of the squares with nothing in them that are looked at
_STANDS_OUT = 10  # grey levels from the still picture: a thing, not ground
_SPREAD = 3.0  # root mean squares of latents, for one of pixels (0 to 1): black and white are just out of reach
_OFTEN = 0.5  # share of the frames in which a pixel is as it is in the still picture


@dataclass(frozen=True)
class TokenizerTaskConfig:
    """How squared errors are weighed, beside 1 for every pixel."""

    moving: float = 24.0
    standing_out: float = 8.0
    faithful: float = 0.0  # weight of the latents' being as far apart as what they show, see `_unfaithful`
    decoder_only: bool = False  # fine-tune the decoder on the latents as they are


class TokenizerTask:
    """Reconstruct the second of two frames in a row."""

    def __init__(self, tokenizer: ConvTokenizer, config: TokenizerTaskConfig) -> None:
        self.module: nn.Module = tokenizer
        self._tokenizer = tokenizer
        self._config = config
        for what_latents_depend_on in (tokenizer.encoder, tokenizer.backdrop_HWC):
            what_latents_depend_on.requires_grad_(not config.decoder_only)

    def losses(self, batch: WindowBatch, draws: Draws) -> dict[str, Tensor]:
        """See `Task`."""
        frames = torch.from_numpy(batch.frames).to(self._tokenizer.backdrop_HWC.device)
        tokenizer = self._tokenizer
        squares_BNKP = tokenizer.squares(to_pixels(frames[:, 1]))
        weights_BNKP = tokenizer.cut(self._weights(*frames.movedim(1, 0)))
        # Most squares are ground, and much alike: a few of them do.
        asked_BN = (weights_BNKP > 1).flatten(2).any(-1) | (draws.uniform(squares_BNKP.shape[1]) < _GROUND)
        noise_XD = draws.normal(squares_BNKP.shape[1], tokenizer.width)[asked_BN]
        mean_XD, log_variance_XD = tokenizer.posterior(squares_BNKP[asked_BN])
        spread = tokenizer.config.noise if log_variance_XD is None else (log_variance_XD / 2).exp()
        errors_XKP = (tokenizer.decoder(mean_XD + spread * noise_XD) - squares_BNKP[asked_BN]).square()
        parts = {"reconstruction": (errors_XKP * weights_BNKP[asked_BN]).sum() / squares_BNKP.numel()}
        loss = parts["reconstruction"]
        if log_variance_XD is not None:
            # Over all squares, as above.
            parts["divergence"] = _divergence(mean_XD, log_variance_XD) * asked_BN.float().mean()
            loss = loss + tokenizer.config.kl * parts["divergence"]
        if self._config.faithful > 0:
            before_XKP = tokenizer.squares(to_pixels(frames[:, 0]))[asked_BN]
            both_YKP = torch.cat([squares_BNKP[asked_BN], before_XKP])
            parts["unfaithful"] = _unfaithful(both_YKP, torch.cat([mean_XD, tokenizer.posterior(before_XKP)[0]]))
            loss = loss + self._config.faithful * parts["unfaithful"]
        return {"loss": loss} | {name: part.detach() for name, part in parts.items()}

    def _weights(self, before_BHWC: Tensor, real_BHWC: Tensor) -> Tensor:
        real, others = real_BHWC.short(), (before_BHWC.short(), self._tokenizer.still_HWC)
        moving, standing_out = (
            (real - other).abs().amax(-1, keepdim=True) > least
            for other, least in zip(others, (_MOVED, _STANDS_OUT), strict=True)
        )
        return (1 + self._config.moving * moving + self._config.standing_out * standing_out).expand_as(real_BHWC)


def still_picture(windows: Windows, frames: int = 256) -> tuple[Tensor, Tensor]:
    """What the game shows where nothing happens [H, W, C], in grey levels.

    The median of frames spread over the split; and the same with `NEVER_STILL` wherever fewer than half of the frames
    are exactly so.
    """
    rows = np.linspace(0, len(windows.frames) - 1, min(frames, len(windows.frames))).astype(np.int64)
    seen: Frames = windows.frames[rows]
    median = np.median(seen, axis=0).astype(np.uint8)
    often = (seen == median).all(axis=-1, keepdims=True).mean(axis=0) >= _OFTEN
    return torch.from_numpy(median), torch.from_numpy(np.where(often, median, np.int16(NEVER_STILL)))


def _unfaithful(squares_YKP: Tensor, latents_YD: Tensor) -> Tensor:
    """How far the distances of latents are from those of what they show.

    Half of the rows are the others a frame before: each is compared with what it was or became, and with a square of
    another frame. Where it is faithful, a change in the latents counts for what it looks like: a texture that hardly
    shows is nothing beside a ball of fire.
    """
    half = len(squares_YKP) // 2
    errors = [
        _distance(latents_YD, latents_YD.roll(by, 0)) - _SPREAD * _distance(squares_YKP, squares_YKP.roll(by, 0))
        for by in (half, half // 2)
    ]
    return torch.stack(errors).square().sum() / max(1, 2 * len(squares_YKP))  # there may be none


def _distance(one: Tensor, other: Tensor) -> Tensor:
    """Root mean square; with a slope where both are alike, too."""
    return (one - other).square().flatten(1).mean(-1).add(1e-8).sqrt()


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL from a standard normal, a mean over numbers."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
