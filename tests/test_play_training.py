"""A world can be looked at while it is still being trained: its run folder is enough."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from data_gen.games import add_game
from neural_env.command import main
from neural_env.play.action_log import read_log
from neural_env.play.fresh_starts import fresh_starts
from neural_env.play.playground import InvalidPlay
from toy_play import PLAYED
from toy_recording import record_toy
from world_model.bundle import load_world
from world_model.training.checkpoint import load_average
from world_model.training.unfinished_world import NothingLearned, is_unfinished_run, unfinished_world

_FIT = {"batch": 4, "steps": 3, "warmup": 1, "evaluate_every": 3, "report_minutes": 1e9}
_SETTINGS = {
    "preset": {
        "name": "nano",
        "tokenizer": {"name": "conv", "channels": 16, "hidden": 32},
        "dynamics": {"width": 32, "layers": 2, "time_layers": [0], "heads": 2, "reach": 8, "memory_width": 16},
    },
    "tokenizer_fit": _FIT,
    "dynamics_fit": _FIT,
    "own_output_fit": _FIT,
    "window": 8,
    "threads": 1,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that has come as far as the dynamics."""
    add_game(PLAYED)
    folder = tmp_path_factory.mktemp("toy")
    record_toy(folder / "recording", game=PLAYED, held_out={}, steps=200, test_episodes=0)
    (folder / "settings.json").write_text(json.dumps(_SETTINGS))
    flags = ["--config", str(folder / "settings.json"), "--data", str(folder / "recording"), "--out"]
    assert main(["world", "train", *flags, str(folder / "run"), "--until", "dynamics"]) == 0
    return folder / "run"


def test_a_world_in_training_is_its_newest_averages(run: Path) -> None:
    assert is_unfinished_run(run)
    with unfinished_world(run, fresh_starts) as folder:
        world = load_world(folder).world
        for stage, weights in (("tokenizer", world.tokenizer), ("dynamics", world.dynamics)):
            average = load_average(sorted((run / stage / "last").glob("*.pt"))[-1])
            for name, value in weights.state_dict().items():
                expected = average[name] if stage == "tokenizer" else average[f"dynamics.{name}"]
                shipped = expected.bfloat16().float() if expected.is_floating_point() else expected
                torch.testing.assert_close(value, shipped, rtol=0, atol=0)
    assert not folder.exists()


def test_it_can_be_played_beside_its_game(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--headless", "--both", "--actions", "random-hold", "--steps", "4", "--out", str(tmp_path / "toy.gif")]
    assert main(["play", "--world", str(run), *flags]) == 0, capsys.readouterr().err
    assert read_log(tmp_path / "toy.json").game == PLAYED.name


def test_a_run_without_dynamics_says_that_it_is_too_early(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    early = tmp_path / "early"
    (early / "tokenizer").mkdir(parents=True)
    (early / "tokenizer/config.json").write_text("{}")
    with pytest.raises(NothingLearned, match="no dynamics yet"), unfinished_world(early, fresh_starts):
        pass
    assert main(["play", "--world", str(early)]) == 2
    assert "try again later" in capsys.readouterr().err


def test_starts_are_only_made_of_a_game_that_is_known_here() -> None:
    with pytest.raises(InvalidPlay, match="no game is called 'Unheard'"):
        fresh_starts(PLAYED.replace(name="Unheard", emulator_id="os:Anything-v0"))
    add_game(PLAYED)
    starts = fresh_starts(PLAYED, beginnings=1, middles=2, context=5)
    assert [start.kind for start in starts] == ["beginning", "middle", "middle"]
    assert [len(start.frames) for start in starts] == [1, 5, 5]
