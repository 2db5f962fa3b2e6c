"""How the stages are judged while they train: on episodes of the validation split, as a player would judge."""

from __future__ import annotations

import torch
from torch import nn

from data_gen.probes import NoProbe, probe
from data_gen.recording import Recording
from data_gen.split_cache import NoWindows, WindowBatch
from data_gen.windows import Windows
from world_model.conv_tokenizer import ConvTokenizer
from world_model.metrics.gain import gain_over_baseline
from world_model.metrics.psnr import moving_pixels, pooled_psnr, squared_errors
from world_model.metrics.things import within
from world_model.open_loop import OpenLoop, open_loop
from world_model.pixels import to_frames, to_pixels
from world_model.simulator import LIKELIEST, Simulator
from world_model.training.keeper import HeldOut
from world_model.world import World

_SEED = 20_000
_FRAMES = 512  # that the tokenizer is judged on
_RUNS, _CONTEXT, _HORIZONS = 64, 8, (1, 8)  # that the dynamics are judged on
NEAR = 2.0  # pixels


def judge_tokenizer(recording: Recording, tokenizer: ConvTokenizer) -> HeldOut | None:
    """By PSNR on moving pixels; None where the recording has no validation episodes."""
    windows = _windows(recording, 1)
    if windows is None:
        return None
    batch = windows.batch(0, _FRAMES)

    def evaluate(module: nn.Module) -> dict[str, float]:
        before, real = batch.frames[:, 0], batch.frames[:, 1]
        pixels = to_pixels(torch.from_numpy(real)).to(tokenizer.backdrop_HWC.device)
        rebuilt = to_frames(tokenizer.decode(tokenizer.encode(pixels))).cpu().numpy()
        moving = squared_errors(rebuilt, real, moving_pixels(before, real))
        return {
            "psnr": pooled_psnr(squared_errors(rebuilt, real).sum(axis=0)),
            "psnr_moving": pooled_psnr(moving.sum(axis=0)),
        }

    return HeldOut(evaluate, "psnr_moving", "larger")


def judge_dynamics(recording: Recording, world: World) -> HeldOut | None:
    """By open-loop rollouts: decibels over the last real frame, and whether things are where they should be."""
    windows = _windows(recording, _CONTEXT - 1 + _HORIZONS[-1])
    if windows is None:
        return None
    batch = windows.batch(0, _RUNS)

    def evaluate(module: nn.Module) -> dict[str, float]:
        dream = open_loop(Simulator(world, LIKELIEST), batch, _CONTEXT)
        figures: dict[str, float] = {}
        for horizon in _HORIZONS:
            figures |= {
                f"{name}_{horizon}": value for name, value in _figures(recording, batch, dream, horizon).items()
            }
        return figures

    return HeldOut(evaluate, f"gain_{_HORIZONS[-1]}", "larger")


def _figures(recording: Recording, batch: WindowBatch, dream: OpenLoop, horizon: int) -> dict[str, float]:
    dreamt, seed_frame = dream.frames_BTHWC[:, horizon - 1], batch.frames[:, _CONTEXT - 1]
    real = batch.frames[:, _CONTEXT - 1 + horizon]
    shown = batch.shown[:, _CONTEXT - 2 + horizon]
    figures = {"gain": float(gain_over_baseline(dreamt, real, seed_frame).decibels[shown].mean())}
    assert recording.manifest.game is not None
    try:
        read = probe(recording.manifest.game.name)
    except NoProbe:
        return figures
    places, real_places = read(dreamt).things, read(real).things
    for name, place_BD in places.items():
        verdict = within(place_BD, real_places[name], NEAR)
        if verdict.counts.any():
            figures[name] = float(verdict.holds[verdict.counts].mean())
    return figures


def _windows(recording: Recording, length: int) -> Windows | None:
    try:
        return Windows(recording, "validation", length, _SEED)
    except NoWindows:
        return None
