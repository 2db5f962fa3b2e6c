"""Which worlds there are, how they get their ids, and that each is read once, offline, and only when it is needed."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

import neural_env
from data_gen.games import game, games
from neural_env import shared_world
from neural_env.command import main
from neural_env.dream_env import DreamEnv
from neural_env.dream_options import DreamOptions, InvalidOption
from neural_env.dream_vector import DreamVectorEnv
from neural_env.games_command import described
from neural_env.lane_check import COUNTS, deviating_counts, random_world
from neural_env.registration import register_dreams
from neural_env.world_folders import find_world
from toy_dream import TOY, assert_same, toy_world
from world_model import shipped as shipped_worlds


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_world(tmp_path_factory.mktemp("dream") / "toy")


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of worlds that come with the package."""
    monkeypatch.setattr(shipped_worlds, "SHIPPED", tmp_path / "worlds")
    return tmp_path / "worlds"


# ---- ids -----------------------------------------------------------------------------------------------------------


def test_every_game_has_an_id_for_its_dream() -> None:
    """One rule; and what an id carries goes through JSON, as Gymnasium's specs do."""
    register_dreams()  # of games, too, that another test has made known
    for name in [*(spec.name for spec in games()), "World"]:
        spec = gymnasium.spec(f"Dream/{name}-v0")
        again = gymnasium.envs.registration.EnvSpec.from_json(spec.to_json())
        assert again == spec
        assert isinstance(spec.entry_point, str), "a string: importing neural_env imports no environment"
        assert isinstance(spec.vector_entry_point, str)


def test_a_shipped_world_is_made_by_the_name_of_its_game(shipped: Path) -> None:
    """What a user types first."""
    toy_world(shipped / "pong", game("Pong"))
    with closing(gymnasium.make("Dream/Pong-v0")) as env, closing(gymnasium.make_vec("Dream/Pong-v0", 2)) as envs:
        frame, _ = env.reset(seed=0)
        assert frame.shape == (84, 84, 3)
        np.testing.assert_array_equal(envs.reset(seed=0)[0][0], frame)
        assert env.spec is not None
        assert json.loads(env.spec.to_json())["kwargs"] == {"game": "Pong"}


def test_a_shipped_world_can_be_named_wherever_a_world_is_asked_for(
    shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of that name in the working directory is meant rather, as everywhere."""
    toy_world(shipped / "counting")
    assert find_world(DreamOptions(world="Counting")) == shipped / "counting"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Counting").mkdir()
    assert find_world(DreamOptions(world="Counting")) == tmp_path / "Counting"


def test_without_a_world_one_sentence_says_how_to_get_one(shipped: Path) -> None:
    """A peer replaces what is missing by noise, zeros and False."""
    for make in (gymnasium.make, gymnasium.make_vec):
        with pytest.raises(FileNotFoundError) as raised:
            make("Dream/Breakout-v0")
        sentence = str(raised.value)
        assert "no world of Breakout comes with this package" in sentence
        assert "world='<its folder, or hf:org/name@revision>'" in sentence
        assert "neural-env world train --data recordings/breakout" in sentence
        with pytest.raises(InvalidOption, match="this id needs world="):
            make("Dream/World-v0")
        with pytest.raises(FileNotFoundError, match="there is no world in /nowhere: it is no folder; train one"):
            make("Dream/World-v0", world="/nowhere")


def test_a_world_of_another_game_is_refused(world: Path) -> None:
    """`Dream/Pong-v0` is Pong, or nothing."""
    with pytest.raises(ValueError, match="is of Counting, not of Pong; Dream/World-v0 takes a world of any game"):
        gymnasium.make("Dream/Pong-v0", world=str(world))


def test_a_damaged_world_is_refused_with_the_file_named(tmp_path: Path) -> None:
    """What its config says is found out when it is made, what its weights hold at the first reset."""
    folder = toy_world(tmp_path / "toy")
    weights = folder / "weights.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with closing(DreamEnv(folder)) as env, pytest.raises(ValueError, match=r"weights\.safetensors is damaged"):
        env.reset()
    weights.unlink()
    with pytest.raises(ValueError, match=r"lacks \['weights\.safetensors'\]"):
        DreamEnv(folder)


def test_a_users_own_game_gets_its_dream_in_one_line(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The place of the world travels in the id, absolute: workers never ran the script, or ran it elsewhere."""
    monkeypatch.chdir(world.parent)
    assert neural_env.register_dream("Counting", world.name) == "Dream/Counting-v0"
    monkeypatch.chdir("/")
    with closing(gymnasium.make("Dream/Counting-v0")) as env, closing(DreamEnv(world)) as direct:
        assert_same(env.reset(seed=0), direct.reset(seed=0))
        kwargs = gymnasium.spec("Dream/Counting-v0").kwargs
        assert kwargs == {"game": "Counting", "world": str(world)}
    neural_env.register_dream("Counting", "hf:someone/counting@v1")
    assert gymnasium.spec("Dream/Counting-v0").kwargs["world"] == "hf:someone/counting@v1", "the later call counts"
    for wrong in ("World", "my game", ""):
        with pytest.raises(InvalidOption, match="expected the name of a game"):
            neural_env.register_dream(wrong, world)


def test_games_are_listed_with_the_dreams_that_there_are(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An id that cannot be made is not advertised."""
    assert described(game("Pong")).splitlines()[0] == "Pong  Real/Pong-v0"
    toy_world(shipped / "pong", game("Pong"))
    assert main(["games", "--game", "Pong"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0] == "Pong  Dream/Pong-v0  Real/Pong-v0"
    with closing(DreamEnv(game="Pong")) as env:
        assert env.dream.shared.digest[:12] in said
    (shipped / "pong" / "card.md").unlink()
    assert "damaged" in described(game("Pong"))


# ---- what is loaded, and when --------------------------------------------------------------------------------------


_LAZILY = """
import sys
def loaded(): return {name.partition(".")[0] for name in sys.modules}
import gymnasium as gym
env = gym.make("neural_env:Dream/World-v0", world=sys.argv[1])
envs = gym.make_vec("Dream/World-v0", 2, world=sys.argv[1])
assert not loaded() & {"torch", "ale_py", "vizdoom", "cv2", "stable_baselines3", "agents", "evaluation"}, loaded()
env.reset(seed=0)
env.step(0)
envs.reset(seed=0)
envs.step([0, 0])
assert "torch" in loaded()
assert not loaded() & {"ale_py", "vizdoom", "pygame", "stable_baselines3", "agents", "evaluation"}, loaded()
assert not [name for name in sys.modules if name.startswith("world_model.training")]
"""


def test_making_a_dream_loads_no_torch_and_playing_it_no_emulator(world: Path) -> None:
    """Vector environments make one in the parent: torch's threads must not be running when it forks.

    In a fresh process, so that the id is also found by its module's name alone.
    """
    subprocess.run([sys.executable, "-W", "error", "-c", _LAZILY, str(world)], check=True)


def test_weights_are_loaded_once_and_shared(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gymnasium's checker alone makes five environments; a search makes thousands."""
    loads = []
    monkeypatch.setattr(shared_world, "load_world", lambda folder: loads.append(folder) or load_world(folder))
    shared_world._recent.clear()
    shared_world._alive.clear()
    link = world.parent / "link"
    link.symlink_to(world)
    with (
        closing(DreamEnv(world)) as one,
        closing(DreamEnv(str(link), steps=2)) as other,
        closing(DreamVectorEnv(3, world)) as many,
    ):
        for env in (one, other, many):
            env.reset(seed=0)
        assert one.starts is other.starts is many.starts
        assert one.dream.shared.world is other.dream.shared.world is many.dream.shared.world
        assert not any(weights.requires_grad for weights in one.dream.shared.world.parameters())
    with closing(DreamEnv(world)) as env:
        env.reset()
    assert len(loads) == 1, "also after they were closed"
    with closing(DreamEnv(world, dtype="float64")) as precise:
        precise.reset(seed=0)
        assert precise.step(1)[0] in precise.observation_space
    assert len(loads) == 2, "another precision is another world"


load_world = shared_world.load_world


def test_worlds_that_nobody_uses_are_let_go(tmp_path: Path) -> None:
    """A session that tries every checkpoint of a run must not keep them all."""
    import gc
    import weakref

    seen = []
    for seed in range(shared_world._KEPT + 2):
        with closing(DreamEnv(toy_world(tmp_path / str(seed), seed=seed))) as env:
            env.reset()
            seen.append(weakref.ref(env.dream.shared))
        del env
    gc.collect()
    assert [ref() is None for ref in seen] == [True, True] + [False] * shared_world._KEPT


def test_a_world_that_was_trained_anew_is_loaded_anew(tmp_path: Path) -> None:
    """Whoever plays while a world is still training wants its newest state; an open environment keeps its own."""
    folder = tmp_path / "toy"
    with closing(DreamEnv(toy_world(folder))) as old:
        old.reset(seed=0)
        folder.rename(tmp_path / "old")
        with closing(DreamEnv(toy_world(folder, seed=1))) as new:
            new.reset(seed=0)
            assert old.dream.shared.digest != new.dream.shared.digest
            assert not np.array_equal(old.step(1)[0], new.step(1)[0])


def test_another_game_in_the_same_place_is_noticed(tmp_path: Path) -> None:
    """Between making and the first reset anything can happen on a disk."""
    folder = tmp_path / "toy"
    with closing(DreamEnv(toy_world(folder))) as env:
        folder.rename(tmp_path / "old")
        toy_world(folder, TOY.replace(name="Other"))
        with pytest.raises(ValueError, match="another world has come to lie"):
            env.reset()


def test_closing_one_dream_leaves_the_others_theirs(world: Path) -> None:
    """`close` must not free a shared network."""
    with closing(DreamEnv(world)) as env:
        env.reset(seed=0)
        other = DreamEnv(world)
        other.reset(seed=0)
        other.close()
        assert env.step(1)[0].any()


def test_it_all_works_without_a_network(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One peer downloads a network when its model is built."""

    def refused(*_: Any) -> None:
        raise AssertionError("somebody wants to go online")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    shared_world._recent.clear()
    with closing(gymnasium.make("Dream/World-v0", world=str(world))) as env:
        env.reset(seed=0)
        env.step(1)


def test_a_device_that_is_not_there_is_named(world: Path) -> None:
    """In words, before anything is moved anywhere."""
    with (
        closing(DreamEnv(world, device="cuda:99")) as env,
        pytest.raises(InvalidOption, match=r"'cuda:99'; torch finds"),
    ):
        env.reset()


# ---- the doctor ----------------------------------------------------------------------------------------------------


def test_a_lane_is_the_same_among_many_with_one_thread() -> None:
    """On a world of the shipped size, as the doctor tries it."""
    assert deviating_counts(random_world()) == []


def test_the_doctors_check_sees_what_it_looks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A world whose frames do depend on the number of lanes: by as little as a rounding error."""
    simulated = random_world()
    decode = simulated.tokenizer.decode
    monkeypatch.setattr(simulated.tokenizer, "decode", lambda latents: decode(latents) + 0.002 / len(latents))
    assert deviating_counts(simulated) == list(COUNTS)


def test_the_doctor_says_what_to_do_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no fault of the user's, and nothing is broken."""
    from neural_env import lane_check
    from neural_env.doctor import check_lanes

    monkeypatch.setattr(lane_check, "random_world", lambda: None)
    monkeypatch.setattr(lane_check, "deviating_counts", lambda world: [1, 3])
    finding = check_lanes()
    assert finding.verdict == "warning"
    assert "in 1 or 3 lanes" in finding.found
    assert "OMP_NUM_THREADS=1" in finding.advice
    monkeypatch.setattr(lane_check, "deviating_counts", lambda world: [])
    assert check_lanes().verdict == "ok"
