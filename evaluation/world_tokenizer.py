"""What a tokenizer alone loses: errors of reconstructions, and whether the ball is still in them, once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from tqdm import tqdm

from data_gen.policy import Frames
from evaluation.held_out import Stretch, in_batches
from evaluation.report import Part, Row
from evaluation.sights import Sight
from world_model.metrics.intervals import Bools, Estimate, Floats, Verdict, estimate, estimate_of_sums
from world_model.metrics.psnr import frame_psnr, moving_pixels, pooled_psnr, squared_errors
from world_model.metrics.things import ghosts, presence_recall
from world_model.pixels import to_frames, to_pixels
from world_model.tokenizer import Tokenizer


def measure_tokenizer(
    tokenizer: Tokenizer, stretches: Sequence[Stretch], sight: Sight | None, batch: int, device: torch.device | str
) -> Part:
    """Figures of the frame after each of these single steps; the frame before says what moves."""
    clusters: list[int] = []
    errors: list[Floats] = []
    moving: list[Floats] = []
    balls: list[Verdict] = []
    doubles: list[Verdict] = []
    for chosen in tqdm(list(in_batches(stretches, batch)), desc="tokenizer", unit="batch"):
        before, frames = (np.stack([each.game.frames[each.moment + k] for each in chosen]) for k in (0, 1))
        again = rebuilt(tokenizer, frames, device)
        clusters += [each.game.index for each in chosen]
        errors.append(squared_errors(again, frames))
        moving.append(squared_errors(again, frames, moving_pixels(before, frames)))
        if sight is not None:
            read, real = sight.read(again), sight.read(frames)
            balls.append(presence_recall(read.things[sight.ball], real.things[sight.ball]))
            if sight.balls is not None:
                doubles.append(ghosts(getattr(read, sight.balls)))
    rows = [
        *_psnr_rows("", "", np.concatenate(errors), clusters),
        *_psnr_rows("_moving", " on moving pixels", np.concatenate(moving), clusters),
    ]
    if sight is not None:
        what = f"{sight.ball} in reconstructions, where it is in the real frame"
        rows.append(Row("tokenizer/ball", what, _share(balls, clusters), "%"))
    if doubles:
        rows.append(Row("tokenizer/ghosts", "more than one ball in reconstructions", _share(doubles, clusters), "%"))
    return Part(rows)


@torch.no_grad()
def rebuilt(tokenizer: Tokenizer, frames: Frames, device: torch.device | str) -> Frames:
    """Frames as the tokenizer paints them."""
    pixels = to_pixels(torch.from_numpy(frames).to(device))
    return np.asarray(to_frames(tokenizer.decode(tokenizer.encode(pixels))).cpu().numpy())


def _psnr_rows(suffix: str, where: str, errors_B2: Floats, clusters: Sequence[int]) -> list[Row]:
    psnr_B = frame_psnr(errors_B2)
    known = ~np.isnan(psnr_B)
    mean = estimate(psnr_B[known], np.array(clusters)[known])
    pooled = estimate_of_sums(errors_B2, pooled_psnr, clusters)
    unknown = int((~known).sum())
    note = f"{unknown:,} frames in which nothing moves apart" if unknown else ""
    return [
        Row(f"tokenizer/psnr{suffix}", f"tokenizer PSNR{where}, mean over frames", mean, "dB", note),
        Row(f"tokenizer/psnr{suffix}_pooled", f"tokenizer PSNR{where}, of the mean error", pooled, "dB"),
    ]


def _share(verdicts: Sequence[Verdict], clusters: Sequence[int]) -> Estimate:
    holds: Bools = np.concatenate([each.holds for each in verdicts])
    return Verdict(holds, np.concatenate([each.counts for each in verdicts])).share(clusters)
