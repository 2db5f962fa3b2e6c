"""What a person looks at while a world trains: videos, the loss by what is known, the drift curve."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from data_gen.recording import Recording
from data_gen.show import write_video
from data_gen.split_cache import NoWindows, WindowBatch
from data_gen.windows import Windows
from world_model.draft import Draft
from world_model.glyphs import PHASES
from world_model.metrics.gain import gain_over_baseline
from world_model.open_loop import open_loop
from world_model.pixels import to_pixels
from world_model.rollout_video import control_pictures, side_by_side
from world_model.simulator import LIKELIEST, Context, Simulator
from world_model.world import World

matplotlib.use("Agg")

_SEED, _RUNS, _CONTEXT, _STEPS = 30_000, 16, 8, (64, 32, 16, 8)
_HELD_STEPS = 24  # for which the control video holds each action


class WorldReport:
    """Writes `<out>/reports/step_<n>_*` whenever it is called."""

    def __init__(self, recording: Recording, world: World, out: Path) -> None:
        self._world, self._folder = world, out / "reports"
        self._fps = recording.manifest.fps
        self._windows = _held_out_runs(recording)

    def __call__(self, module: nn.Module, step: int) -> None:
        """`module` is trained in place within the world; the averaged weights are in it."""
        if self._windows is None:  # no validation episode is long enough
            return
        simulator = Simulator(self._world, LIKELIEST)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._rollout(simulator, self._windows, self._folder / f"step_{step:07d}")
        self._control(simulator, self._windows, self._folder / f"step_{step:07d}")
        self._losses(self._windows, self._folder / f"step_{step:07d}")

    def _rollout(self, simulator: Simulator, windows: WindowBatch, stem: Path) -> None:
        """The video real | dream of the first windows, and how the gain falls with the horizon over all."""
        dream = open_loop(simulator, windows, _CONTEXT)
        real_BTHWC = windows.frames[:, _CONTEXT:]
        pictures = (side_by_side(real_BTHWC[:4, t], dream.frames_BTHWC[:4, t]) for t in range(real_BTHWC.shape[1]))
        write_video(stem.with_name(f"{stem.name}_real_dream.mp4"), pictures, self._fps)
        seed_frame = windows.frames[:, _CONTEXT - 1]
        gains = [
            gain_over_baseline(dream.frames_BTHWC[:, t], real_BTHWC[:, t], seed_frame).decibels.mean()
            for t in range(real_BTHWC.shape[1])
        ]
        _plot(np.arange(1.0, len(gains) + 1), np.array(gains), "step", "dB over the last real frame", stem, "drift")

    def _control(self, simulator: Simulator, windows: WindowBatch, stem: Path) -> None:
        """Every action held from one start, and nobody's: does the picture obey, and what does it do by itself?"""
        context = Context(windows.frames[0, :_CONTEXT], windows.executed[0, : _CONTEXT - 1])
        pictures = control_pictures(simulator, context, _HELD_STEPS)
        write_video(stem.with_name(f"{stem.name}_control.mp4"), pictures, self._fps)

    @torch.no_grad()
    def _losses(self, windows: WindowBatch, stem: Path) -> None:
        """The latents' squared error the more glyphs are known."""
        world = self._world
        device = world.dynamics.place.device
        frames = torch.from_numpy(windows.frames[:, : _CONTEXT + 1]).to(device)
        latents_BTND = torch.stack([world.tokenizer.encode(to_pixels(each)) for each in frames])
        executed_BTK = torch.from_numpy(windows.executed[:, :_CONTEXT]).to(device)
        clean_BND, base_BND = latents_BTND[:, -1], latents_BTND[:, -2]
        still_BT = latents_BTND.new_zeros(latents_BTND.shape[0], _CONTEXT)
        features_BNE = world.dynamics.trunk(latents_BTND[:, :-1], still_BT, executed_BTK)[:, -1]
        came, errors = world.dynamics.glyphs.what_came(base_BND, clean_BND), []
        for known in range(PHASES + 1):
            draft = Draft((world.dynamics.phase_N < known).expand(base_BND.shape[:2]), *came)
            landed_BND = world.dynamics.land(world.dynamics.look(features_BNE, base_BND, draft), base_BND, draft)
            errors.append(float((landed_BND - clean_BND).square().mean()))
        share = np.arange(PHASES + 1) / PHASES
        _plot(share, np.array(errors), "share of the glyphs that are known", "squared error of latents", stem, "known")


def _held_out_runs(recording: Recording) -> WindowBatch | None:
    """Windows as long as the validation episodes allow."""
    for steps in _STEPS:
        with suppress(NoWindows):
            return Windows(recording, "validation", _CONTEXT - 1 + steps, _SEED).batch(0, _RUNS)
    return None


def _plot(
    x: npt.NDArray[np.floating[Any]],
    y: npt.NDArray[np.floating[Any]],
    x_label: str,
    y_label: str,
    stem: Path,
    name: str,
) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 3), layout="constrained")
    axes.plot(x, y, marker="." if len(x) < 20 else None)
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.grid(alpha=0.3)
    figure.savefig(stem.with_name(f"{stem.name}_{name}.png"), dpi=120)
    pyplot.close(figure)
