"""Does it obey: each action held from the same real moments, in the dream and in the twin that was brought there.

The twin gets there by its seed and the recorded ticks, and must show the recorded frame. No action sticks: both get the
very ticks. All actions are tried from one moment with the same noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from data_gen.policy import Frames
from data_gen.probes import Probe
from data_gen.twin import Twin
from evaluation.held_out import HeldOutGame, Stretch, UnfitRecording
from evaluation.report import Part, Row
from world_model.metrics.control import MOVES, right_direction, same_place
from world_model.metrics.intervals import Floats
from world_model.simulator import LaneSimulator

HELD_STEPS = 8
_NOOP = "NOOP"


def measure_control(
    simulator: LaneSimulator,
    twin: Twin,
    stretches: Sequence[Stretch],
    read: Probe,
    own: str,
    reach: int,
    batch: int,
    seed: int,
) -> Part:
    """Figures of where the player's own thing went from the moments at which these stretches begin."""
    game = twin.game
    real_SA = _in_the_twin(twin, stretches)
    dreamt_SA = _in_the_dream(simulator, stretches, game.num_actions, game.ticks_per_step, reach, batch, seed)
    before_S = _places(np.stack([each.game.frames[each.moment] for each in stretches]), read, own)
    after_SA, real_after_SA = (
        _places(frames.reshape(-1, *frames.shape[2:]), read, own).reshape(frames.shape[:2])
        for frames in (dreamt_SA, real_SA)
    )
    clusters = np.array([each.game.index for each in stretches])
    return Part(_rows(after_SA, real_after_SA, before_S, clusters, game.action_meanings))


def _places(frames: Frames, read: Probe, own: str) -> Floats:
    """Where the player's own thing is along its one way, [B]; NaN where it is not there."""
    place_BD: Floats = read(frames).things[own]
    return place_BD[:, 0]


def _rows(
    after_SA: Floats, real_after_SA: Floats, before_S: Floats, clusters: npt.NDArray[np.int64], names: Sequence[str]
) -> list[Row]:
    moved_SA, real_moved_SA = after_SA - before_S[:, None], real_after_SA - before_S[:, None]
    verdict = right_direction(moved_SA.ravel(), real_moved_SA.ravel())
    what = f"obeys: held {HELD_STEPS} steps it goes the twin's way, where that goes {MOVES:g} px or more"
    of_each = verdict.share(np.repeat(clusters, len(names)))
    rows = [Row("control/right_direction", what, of_each, "%")]
    for action, name in enumerate(names):
        share = right_direction(moved_SA[:, action], real_moved_SA[:, action]).share(clusters)
        if share.count:  # an action that moves nothing says nothing
            rows.append(Row(f"control/{name}", f"obeys: {name}", share, "%"))
    if _NOOP in names:
        action = names.index(_NOOP)
        near = same_place(after_SA[:, action], real_after_SA[:, action]).share(clusters)
        rows.append(Row("control/noop", f"obeys: without an action, within {MOVES:g} px of the twin's", near, "%"))
    return rows


# ---- the two sides -------------------------------------------------------------------------------------------------


def _in_the_twin(twin: Twin, stretches: Sequence[Stretch]) -> Frames:
    """The frames [S, A, H, W, 3] after each action was held; each game is played through once, with forks."""
    ends: dict[tuple[int, int], Frames] = {}
    by_game = groupby(sorted(stretches, key=_place), key=lambda each: each.game)
    with tqdm(total=len(stretches), desc="twin", unit="start") as bar:
        for game, chosen in by_game:
            _bring_to_start(twin, game)
            now = 0
            for stretch in chosen:
                for ticks in game.executed[now : stretch.moment]:
                    twin.advance(ticks)
                now = stretch.moment
                ends[_place(stretch)] = _forks(twin, game, now)
                bar.update()
    return np.stack([ends[_place(each)] for each in stretches])


def _place(stretch: Stretch) -> tuple[int, int]:
    return stretch.game.index, stretch.moment


def _bring_to_start(twin: Twin, game: HeldOutGame) -> None:
    frame, _ = twin.reset(seed=game.reset_seed)
    _require_shown(frame, game, 0)


def _forks(twin: Twin, game: HeldOutGame, moment: int) -> Frames:
    """The frame [A, H, W, 3] after each action; the twin is left as it was."""
    here = twin.clone_state()
    _require_shown(here.frame, game, moment)
    ends = []
    for action in range(twin.game.num_actions):
        twin.restore_state(here)
        ends.append(_held(twin, np.full(twin.game.ticks_per_step, action)))
    twin.restore_state(here)
    return np.stack(ends)


def _held(twin: Twin, ticks: npt.NDArray[np.int64]) -> Frames:
    """The frame at the end; a game that is over shows its last one."""
    for _ in range(HELD_STEPS):
        frame, _, terminated, truncated, _ = twin.advance(ticks)
        if terminated or truncated:
            break
    return frame


def _require_shown(frame: Frames, game: HeldOutGame, moment: int) -> None:
    if not np.array_equal(frame, game.frames[moment]):
        raise UnfitRecording(
            f"the twin does not show frame {moment} of held-out game {game.index}; the recording was made with another "
            "emulator or another version of it, which `neural-env data verify` shows as well"
        )


def _in_the_dream(
    simulator: LaneSimulator,
    stretches: Sequence[Stretch],
    num_actions: int,
    ticks_per_step: int,
    reach: int,
    batch: int,
    seed: int,
) -> Frames:
    """The same in the dream."""
    at_once = max(1, batch // num_actions)
    executed_AK = np.repeat(np.arange(num_actions)[:, None], ticks_per_step, axis=1)
    ends = []
    for first in tqdm(range(0, len(stretches), at_once), desc="held actions", unit="batch"):
        chosen = stretches[first : first + at_once]
        seeds = range(seed + first, seed + first + len(chosen))
        state, _ = simulator.start([each.context(reach) for each in chosen], seeds)
        state = state.select(np.repeat(np.arange(len(chosen)), num_actions).tolist())
        for _ in range(HELD_STEPS):
            state, step = simulator.step(state, np.tile(executed_AK, (len(chosen), 1)))
        ends.append(step.frames.reshape(len(chosen), num_actions, *step.frames.shape[1:]))
    return np.concatenate(ends)
