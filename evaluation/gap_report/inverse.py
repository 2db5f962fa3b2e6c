"""Which action was played, read off the frames around it: an inverse-dynamics model, trained on real frames only.

Actions that nobody can tell apart in the real game (a fire button without effect) are one class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from tqdm import tqdm

from data_gen.policy import Frames
from evaluation.held_out import HeldOutGame
from world_model.metrics.intervals import Ints

_FRAMES = 4  # the one before, the one that is acted on, and two that come of it: things answer with a delay
_CONTRAST = 8.0  # of what changes, which is little
_LARGEST, _BATCH, _RATE = 96, 32, 3e-3  # pixels a side, frames, Adam


class InverseModel:
    """Gray frames around a step -> the class of its action."""

    def __init__(self, classes: Ints, frame_size: tuple[int, int]) -> None:
        self.classes = classes  # [A], of each action
        self._size = tuple(min(side, _LARGEST) for side in frame_size)
        self._network = _network(int(classes.max()) + 1, self._size)
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():  # drawn anew, so that no global generator decides
            for weight in self._network.parameters():
                bound = (6 / weight[0].numel()) ** 0.5 if weight.ndim > 1 else 0.0
                weight.copy_((torch.rand(weight.shape, generator=generator) * 2 - 1) * bound)

    def train(self, games: Sequence[HeldOutGame], steps: int, seed: int) -> None:
        """On the real frames of these games, every class as often as every other."""
        places = np.array(
            [(which, t) for which, each in enumerate(games) for t in range(1, min(len(each), each.last_shown - 1))]
        )
        labels = np.array([self.label(games[which].executed[t]) for which, t in places])
        generator = np.random.default_rng([seed, 11])
        by_class = [np.flatnonzero(labels == name) for name in np.unique(labels)]
        optimizer = torch.optim.Adam(self._network.parameters(), _RATE)
        grays = _Grays(games, self._gray)
        self._network.train()
        for step in tqdm(range(steps), desc="inverse dynamics", unit="step"):
            for group in optimizer.param_groups:
                group["lr"] = _RATE * min(1.0, 2 * (1 - step / steps))
            chosen = [int(generator.choice(by_class[int(c)])) for c in generator.integers(len(by_class), size=_BATCH)]
            batch = np.stack([grays.around(*places[each].tolist()) for each in chosen])
            loss = nn.functional.cross_entropy(self._logits(batch), torch.from_numpy(labels[chosen]))
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        self._network.eval()

    def label(self, executed_K: npt.NDArray[np.int64]) -> int:
        """The class of a step: that of the action on most of its ticks, the last of those that tie."""
        classes = self.classes[executed_K]
        counts = np.bincount(classes, minlength=int(self.classes.max()) + 1)
        return int(max(classes[::-1].tolist(), key=lambda each: counts[each]))

    @torch.no_grad()
    def read(self, frames_BTHWC: Frames) -> Ints:
        """The classes [B, T - 3] of the steps from the second frame on, as far as there are two frames after them."""
        grays = np.stack([[self._gray(frame) for frame in frames] for frames in frames_BTHWC])
        steps = grays.shape[1] - _FRAMES + 1
        return np.stack(
            [self._logits(grays[:, t : t + _FRAMES]).argmax(dim=1).numpy() for t in range(steps)], axis=1
        ).astype(np.int64)

    def _gray(self, frame: Frames) -> Frames:
        gray = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
        if gray.shape != self._size:
            gray = cv2.resize(gray, self._size[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(gray, np.uint8)

    def _logits(self, grays_BFHW: npt.NDArray[np.uint8]) -> torch.Tensor:
        frames = torch.from_numpy(grays_BFHW).float() / 255.0
        # What changed is what an action can be read from.
        changes = (_CONTRAST * (frames[:, 1:] - frames[:, :-1])).clamp(-1, 1)
        seen = torch.cat([frames[:, 1:2], changes], dim=1)
        logits: torch.Tensor = self._network(seen)
        return logits


def _network(classes: int, size: tuple[int, ...]) -> nn.Sequential:
    places = 1
    for side in size:
        places *= ((side - 8) // 4 + 1 - 4) // 2 + 1  # what the two convolutions leave
    with torch.random.fork_rng(devices=[]):  # layers draw from the global generator, which is not ours to move
        return nn.Sequential(
            *(nn.Conv2d(_FRAMES, 16, 8, 4), nn.ReLU(), nn.Conv2d(16, 32, 4, 2), nn.ReLU(), nn.Flatten()),
            *(nn.Linear(32 * places, 64), nn.ReLU(), nn.Linear(64, classes)),
        )


class _Grays:
    """Frames of games, turned gray when they are first asked for."""

    def __init__(self, games: Sequence[HeldOutGame], gray: Callable[[Frames], Frames]) -> None:
        self._games, self._gray = games, gray
        self._known: dict[tuple[int, int], Frames] = {}

    def around(self, game: int, t: int) -> Frames:
        """The frame before a step's, its own and those that come of it, [4, H, W]."""
        return np.stack([self._one(game, place) for place in range(t - 1, t + _FRAMES - 1)])

    def _one(self, game: int, place: int) -> Frames:
        if (game, place) not in self._known:
            self._known[game, place] = self._gray(self._games[game].frames[place])
        return self._known[game, place]
