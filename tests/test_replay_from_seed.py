"""A moment of a game is its reset seed and the actions executed since: played again, every byte is the same.

Recordings, the dream's starts and `data verify --replay` stand on this. What it holds for with VizDoom is written in
`data_gen/doom.py`; these tests state it again.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from data_gen.spec import GameSpec
from data_gen.twin import Twin
from toy_game import COUNTING, action_of, counter_of

DOOM = ["DoomTakeCover", "DoomBasic", "DoomDefendCenter", "DoomDeathmatch"]
GAMES: list[str | GameSpec] = ["Pong", "Breakout", "Boxing", *DOOM, COUNTING]
SEED, STEPS = 12, 80


def name_of(game: str | GameSpec) -> str:
    return game.name if isinstance(game, GameSpec) else game


@dataclass
class Played:
    """One game as it was played."""

    frames: npt.NDArray[np.uint8]  # [N + 1, H, W, 3]
    executed: npt.NDArray[np.int64]  # [N, ticks]
    rewards: list[float]
    infos: list[dict[str, Any]]
    terminated: bool

    def digest(self) -> str:
        """Frames and rewards in a few letters, to compare across processes."""
        infos = [[v for k, v in info.items() if k != "executed"] for info in self.infos]
        return hashlib.sha256(self.frames.tobytes() + repr((self.rewards, infos)).encode()).hexdigest()


def play(twin: Twin, seed: int = SEED, actions_seed: int = 0, steps: int = STEPS) -> Played:
    """Random play with every action held for a moment, up to the end of the game."""
    generator = np.random.default_rng(actions_seed)
    frame, info = twin.reset(seed=seed)
    frames, infos = [frame], [info]
    executed: list[npt.NDArray[np.int64]] = []
    rewards: list[float] = []
    terminated = truncated = False
    while not (terminated or truncated) and len(executed) < steps:
        frame, reward, terminated, truncated, info = twin.step(int(generator.integers(twin.game.num_actions)))
        frames.append(frame)
        executed.append(info["executed"])
        rewards.append(reward)
        infos.append(info)
    return Played(np.array(frames), np.array(executed), rewards, infos, terminated)


def replay(twin: Twin, played: Played) -> Played:
    """The same game once more, without stickiness, policy or generator: only the seed and the ticks."""
    frame, info = twin.reset(seed=SEED)
    frames, rewards, infos, terminated = [frame], [], [info], False
    for ticks in played.executed:
        frame, reward, terminated, _, info = twin.advance(ticks)
        frames.append(frame)
        rewards.append(reward)
        infos.append(info)
    return Played(np.array(frames), played.executed, rewards, infos, terminated)


def assert_same(one: Played, other: Played) -> None:
    np.testing.assert_array_equal(one.frames, other.frames)
    assert one.rewards == other.rewards
    assert one.terminated == other.terminated
    assert one.digest() == other.digest()


@pytest.mark.parametrize("game", GAMES, ids=name_of)
def test_seed_and_executed_ticks_give_the_same_game_again(game: str | GameSpec) -> None:
    """In the same twin after other games, one of them broken off, and in a twin that never played before."""
    with closing(Twin(game)) as twin, closing(Twin(game)) as fresh:
        played = play(twin)
        play(twin, seed=99, actions_seed=1, steps=7)
        assert_same(played, replay(twin, played))
        assert_same(played, replay(fresh, played))
        middle = len(played.executed) // 2
        frame, _ = twin.replay(SEED, played.executed[:middle])
        np.testing.assert_array_equal(frame, played.frames[middle])


@pytest.mark.parametrize("game", ["Pong", *DOOM, COUNTING], ids=name_of)
def test_another_seed_is_another_game(game: str | GameSpec) -> None:
    """Negative control of the test above: a game that ignores its seed would pass it."""
    with closing(Twin(game)) as twin:
        played = play(twin, steps=40)
        assert any(play(twin, seed=seed, steps=40).digest() != played.digest() for seed in (1, 2))


def test_stickiness_is_in_the_recorded_ticks() -> None:
    """Negative control of the test above: the chosen actions, instead of the executed ones, give another game."""
    with closing(Twin("Pong")) as twin:
        played = play(twin)
        chosen = np.random.default_rng(0).integers(6, size=len(played.executed))
        assert (played.executed != chosen[:, None]).any()
        frame, _ = twin.replay(SEED, np.repeat(chosen[:, None], 4, axis=1))
        assert (frame != played.frames[-1]).any()


def digests() -> str:
    lines = []
    for game in GAMES[:-1]:
        with closing(Twin(game)) as twin:
            lines.append(f"{game} {play(twin, steps=40).digest()}")
    return "\n".join(lines)


def test_another_process_plays_the_same_game() -> None:
    """A recording is verified on another day: nothing may hang on addresses, hash seeds or what ran before."""
    script = "import test_replay_from_seed as t; print(t.digests())"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent), "PYTHONHASHSEED": "12345"}
    other = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment, timeout=120
    )
    assert other.stdout.strip() == digests()


def test_doom_games_side_by_side_do_not_touch_each_other() -> None:
    """Each engine is a process; two of them, stepped in turn, play what each plays alone."""
    with closing(Twin("DoomDeathmatch")) as one, closing(Twin("DoomTakeCover")) as other:
        alone = play(one, steps=20), play(other, steps=20)
        one.reset(seed=SEED)
        other.reset(seed=SEED)
        for t in range(20):
            np.testing.assert_array_equal(one.advance(alone[0].executed[t])[0], alone[0].frames[t + 1])
            np.testing.assert_array_equal(other.advance(alone[1].executed[t])[0], alone[1].frames[t + 1])


# ---- going back -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("game", ["Pong", "Breakout", "Boxing"])
def test_a_restored_moment_goes_on_identically(game: str) -> None:
    """Planners branch from one moment many times; stickiness is drawn again with the generator's own state."""
    with closing(Twin(game)) as twin:
        twin.reset(seed=3)
        for moment in range(5):
            actions = np.random.default_rng(moment).integers(twin.game.num_actions, size=30)
            state, ram = twin.clone_state(), twin._emulator.ale.getRAM()  # type: ignore[union-attr]
            first = [twin.step(action) for action in actions]
            twin.restore_state(state)
            np.testing.assert_array_equal(twin._emulator.ale.getRAM(), ram)  # type: ignore[union-attr]
            for outcome, action in zip(first, actions, strict=True):
                again = twin.step(action)
                np.testing.assert_array_equal(again[0], outcome[0])
                assert again[1:4] == outcome[1:4]
                np.testing.assert_array_equal(again[4].pop("executed"), outcome[4].pop("executed"))
                assert again[4] == outcome[4]


def test_a_moment_restored_without_its_generator_draws_new_stickiness() -> None:
    """Negative control: if this were equal, the test above would show nothing. 120 ticks agree once in 10^24 times."""
    with closing(Twin("Pong")) as twin:
        twin.reset(seed=3)
        state, actions = twin.clone_state(include_rng=False), [2, 3] * 15
        first = [twin.step(action)[4]["executed"] for action in actions]
        twin.restore_state(state)
        second = [twin.step(action)[4]["executed"] for action in actions]
        assert (np.array(first) != np.array(second)).any()


def test_doom_says_that_it_cannot_clone() -> None:
    """And names what to use instead."""
    with closing(Twin("DoomBasic")) as twin:
        twin.reset(seed=0)
        with pytest.raises(NotImplementedError, match=r"Twin\.replay"):
            twin.clone_state()


# ---- the traps of Doom ------------------------------------------------------------------------------------------


def test_the_last_frame_of_doom_is_real_and_flagged() -> None:
    """The engine has no picture after the end; zeros there would teach a world model to fade to black."""
    with closing(Twin("DoomTakeCover", render_mode="rgb_array")) as twin:
        played = play(twin, steps=525)
        assert played.terminated
        assert [info["screen_is_stale"] for info in played.infos] == [False] * len(played.executed) + [True]
        assert all(frame.max() > 50 for frame in played.frames)
        assert played.infos[-1]["health"] <= 0
        ticks = sum(played.rewards)  # one for each tick lived
        assert 4 * (len(played.executed) - 1) < ticks <= 4 * len(played.executed)


def test_doom_leaves_nothing_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine drops its settings where it is started, and a user's `_vizdoom.ini` there would change the game."""
    (tmp_path / "_vizdoom.ini").write_text("[Doom.ConsoleVariables]\nscreenblocks=3\n")
    with closing(Twin("DoomTakeCover")) as twin:
        elsewhere = play(twin, steps=5)
    monkeypatch.chdir(tmp_path)
    with closing(Twin("DoomTakeCover")) as twin:
        assert_same(play(twin, steps=5), elsewhere)
    with closing(Twin("DoomDeathmatch")) as twin:
        play(twin, steps=5)
    assert [path.name for path in tmp_path.iterdir()] == ["_vizdoom.ini"]
    assert Path.cwd() == tmp_path


def test_a_deathmatch_begins_anew_at_every_reset() -> None:
    """The engine itself lets frags and deaths of one match run on into the next, and adds the bots once more."""
    with closing(Twin("DoomDeathmatch")) as twin:
        for seed in (1, 2):
            played = play(twin, seed=seed, steps=100)
            assert played.infos[0]["deathcount"] == played.infos[0]["fragcount"] == 0
        assert played.infos[-1]["deathcount"] > 0, "a random player dies within 400 ticks, and is back"
        assert not played.terminated


# ---- the toy game, whose frames say what they are -----------------------------------------------------------------


def test_frames_and_actions_of_the_counting_game_join() -> None:
    """frames[t], actions[t], frames[t + 1]: the first stage at which a shift by one would show."""
    with closing(Twin(COUNTING)) as twin:
        played = play(twin, steps=1000)
    assert played.terminated
    counters = [counter_of(frame) for frame in played.frames]
    assert counters[:-1] == list(range(0, 2 * len(played.executed), 2))
    assert counters[-1] - counters[-2] in (1, 2), "the game may end within a step"
    last_played = [ticks[1] for ticks in played.executed]
    assert [action_of(frame) for frame in played.frames] == [-1, *last_played]
