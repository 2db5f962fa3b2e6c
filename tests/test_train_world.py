"""A toy game goes through record, train and rollout with the commands that a user would type."""

from __future__ import annotations

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import torch

from data_gen.recording import Recording
from data_gen.windows import Windows
from neural_env.command import main as run
from neural_env.configuration import parse_config
from toy_recording import record_toy
from world_model.action_script import InvalidActions, read_actions
from world_model.bundle import load_world
from world_model.conv_tokenizer import NEVER_STILL, ConvTokenizer
from world_model.picture import Picture
from world_model.pixels import to_pixels
from world_model.simulator import Simulator
from world_model.training.tokenizer_task import still_picture
from world_model.training.train_world import TrainWorldConfig

_RECIPES = [
    file for file in (Path(__file__).parents[1] / "recipes").glob("*.json") if "own_output_fit" in file.read_text()
]
_FIT = {"batch": 8, "steps": 30, "warmup": 5, "evaluate_every": 15}
_SETTINGS = {
    "preset": {
        "name": "nano",
        "tokenizer": {"name": "conv", "channels": 16, "hidden": 32},
        "dynamics": {"width": 32, "layers": 2, "time_layers": [0], "heads": 2, "reach": 8, "memory_width": 16},
    },
    "tokenizer_fit": _FIT | {"batch": 32, "steps": 60, "learning_rate": 1e-2},
    "dynamics_fit": _FIT,
    "own_output_fit": _FIT | {"steps": 10},
    "window": 8,
    "beginnings": 2,
    "middles": 4,
    "threads": 1,
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recording and a world that was trained on it."""
    folder = tmp_path_factory.mktemp("toy")
    record_toy(folder / "recording")
    (folder / "settings.json").write_text(json.dumps(_SETTINGS))
    assert run(_train(folder)) == 0
    return folder


def _train(folder: Path, *more: str) -> list[str]:
    return [
        *("world", "train", "--config", str(folder / "settings.json")),
        *("--data", str(folder / "recording"), "--out", str(folder / "run"), *more),
    ]


def test_training_leaves_a_world_that_loads_and_dreams(trained: Path) -> None:
    loaded = load_world(trained / "run/world")
    assert loaded.world.config.outcome.rewards == (0.0, 1.0, 2.0)
    assert len(loaded.starts) == 6
    simulator = Simulator(loaded.world, loaded.simulator)
    state, frames = simulator.start(loaded.starts.contexts(), range(6))
    real = np.stack([start.frames[-1] for start in loaded.starts])
    assert np.abs(frames.astype(int) - real).mean() < 40  # half a minute of training is no more than a beginning
    _, step = simulator.step(state, np.zeros((6, 2), np.int64))
    assert step.frames.shape == frames.shape


def test_what_the_recording_never_showed_surprises_more(trained: Path) -> None:
    world = load_world(trained / "run/world").world
    real = Windows.open(trained / "recording", "train", 1, seed=3).batch(0, 200).frames[:, 0]
    noise = np.random.default_rng(0).uniform(-1, 1, (200, world.dynamics.tokens, world.tokenizer.width))
    of_real = world.tokenizer.encode(to_pixels(torch.from_numpy(real)))
    with torch.no_grad():
        surprise = [
            world.surprise(Picture.of(world.tokenizer, latents))
            for latents in (of_real, torch.from_numpy(noise).float())
        ]
    assert float((surprise[0] > 1).float().mean()) <= 0.03
    assert float((surprise[1] > 1).float().mean()) >= 0.9


def test_training_leaves_what_people_look_at(trained: Path) -> None:
    reports = sorted(path.name for path in (trained / "run/dynamics/reports").iterdir())
    for kind in ("real_dream.mp4", "control.mp4", "drift.png", "known.png"):
        assert any(name.endswith(kind) for name in reports), kind
    lines = [json.loads(line) for line in (trained / "run/dynamics/journal.jsonl").read_text().splitlines()]
    assert any("held_out/gain_8" in line for line in lines)
    assert "nobody" not in (trained / "run/world/card.md").read_text()


def test_the_same_command_again_recalls_every_stage(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (trained / "run/world/weights.safetensors").read_bytes()
    checkpoints = sorted((trained / "run").rglob("*.pt"))
    written = [path.stat().st_mtime_ns for path in checkpoints]
    assert run(_train(trained)) == 0
    assert (trained / "run/world/weights.safetensors").read_bytes() == before
    assert [path.stat().st_mtime_ns for path in checkpoints] == written


def test_another_setting_in_the_same_folder_is_refused_by_name(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(_train(trained, "--dynamics.changed", "3")) == 2
    assert "changed" in capsys.readouterr().err


def test_a_rollout_from_a_recording_shows_both_games(trained: Path, tmp_path: Path) -> None:
    video = tmp_path / "both.mp4"
    arguments = ["--world", str(trained / "run/world"), "--start", str(trained / "recording")]
    arguments += ["--episode", "0", "--first", "3", "--steps", "5", "--out", str(video)]
    assert run(["world", "rollout", *arguments]) == 0
    pictures = iio.imread(video)
    recording = Recording.open(trained / "recording")
    real = recording.load(recording.entries("test")[0]).frames[4]
    assert len(pictures) == 5
    left = pictures[0][: 36 * 9, : 36 * 9].reshape(36, 9, 36, 9, 3)[:, 4, :, 4]
    assert np.abs(left.astype(int) - real).mean() < 12  # H.264 is lossy


def test_a_rollout_of_no_chosen_moment_is_drawn_by_its_seed_and_says_so(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A film that nobody has picked: whoever doubts it draws it again."""
    arguments = ["--world", str(trained / "run/world"), "--start", str(trained / "recording"), "--steps", "5"]
    told = []
    for seed in (0, 0, 1, 2):
        assert run(["world", "rollout", *arguments, "--seed", str(seed), "--out", str(tmp_path / "both.gif")]) == 0
        told.append(capsys.readouterr().out)
        assert f"seed {seed}" in told[-1]
        assert "5 steps" in told[-1]
    moments = [each.partition("from frame")[2].partition(", seed")[0] for each in told]
    assert moments[0] == moments[1]
    assert len(set(moments)) > 1


def test_a_rollout_from_a_picture_follows_a_file_of_actions(trained: Path, tmp_path: Path) -> None:
    recording = Recording.open(trained / "recording")
    iio.imwrite(tmp_path / "start.png", recording.load(recording.entries("test")[0]).frames[0])
    (tmp_path / "moves.txt").write_text("LEFT 3\n2  # RIGHT\n")
    arguments = ["--world", str(trained / "run/world"), "--start", str(tmp_path / "start.png")]
    arguments += ["--actions", str(tmp_path / "moves.txt"), "--out", str(tmp_path / "dream.mp4")]
    assert run(["world", "rollout", *arguments]) == 0
    assert len(iio.imread(tmp_path / "dream.mp4")) == 4  # a GIF would join frames that are alike


def test_a_reconstruction_is_pictured_and_measured(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--world", str(trained / "run/world"), "--data", str(trained / "recording")]
    assert run(["world", "reconstruct", *arguments, "--frames", "40", "--out", str(tmp_path / "rebuilt.png")]) == 0
    printed = capsys.readouterr().out
    assert float(printed.split("psnr_moving")[0].split()[1]) > 10
    assert iio.imread(tmp_path / "rebuilt.png").shape[2] == 3


def test_a_world_goes_on_from_a_stage_of_its_own_training(trained: Path, tmp_path: Path) -> None:
    before = load_world(trained / "run/world").world
    flags = ["--init", str(trained / "run/world"), "--first", "own-output", "--out", str(tmp_path)]
    assert run(_train(trained, *flags, "--own-output-fit.steps", "5")) == 0
    after = load_world(tmp_path / "world").world
    assert not any((tmp_path / stage).exists() for stage in ("tokenizer", "dynamics"))
    card = (tmp_path / "world/card.md").read_text()
    assert load_world(trained / "run/world").digest in card
    assert str(trained) not in card
    as_before = {name: value.equal(before.state_dict()[name]) for name, value in after.state_dict().items()}
    assert all(same for name, same in as_before.items() if name.startswith("tokenizer."))
    assert not all(same for name, same in as_before.items() if name.startswith("dynamics."))


def test_a_world_whose_tokenizer_goes_on_finds_its_glyphs_anew(trained: Path, tmp_path: Path) -> None:
    """Glyphs of before stand for what another tokenizer made, and for nothing that was not yet to be seen."""
    flags = ["--init", str(trained / "run/world"), "--out", str(tmp_path)]
    for stage in ("tokenizer", "dynamics", "own-output"):
        flags += [f"--{stage}-fit.steps", "5"]
    assert run(_train(trained, *flags)) == 0
    before, after = (load_world(each / "world").world.dynamics.glyphs for each in (trained / "run", tmp_path))
    found = np.load(next((tmp_path / "latents").rglob("typical-*.npy")))
    assert np.abs(after.contents_VD.numpy() - found).max() < 0.01  # bfloat16 in the file
    assert np.abs(before.contents_VD.numpy() - found).max() > 0.1


def test_a_world_dreams_nowhere_what_it_has_not_seen_there(trained: Path) -> None:
    glyphs = load_world(trained / "run/world").world.dynamics.glyphs
    assert glyphs.seen_NV.any(-1).all()  # of a place where nothing ever changes nothing is known
    assert glyphs.seen_NV.all(-1).float().mean() < 0.5


def test_a_run_around_moments_is_refused_around_others(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Recording.open(trained / "recording").entries("train")[0]
    (tmp_path / "moments.json").write_text(json.dumps({first.sha256: [9]}))
    flags = ["--init", str(trained / "run/world"), "--first", "own-output", "--out", str(tmp_path / "run")]
    flags += ["--own-output-fit.steps", "5", "--moments", str(tmp_path / "moments.json")]
    assert run(_train(trained, *flags)) == 0
    assert (tmp_path / "run/world/manifest.json").is_file()
    for other in (("--moments-share", "0.1"), ("--moments-window", "1")):
        assert run(_train(trained, *flags, *other)) == 2
        assert "moments" in capsys.readouterr().err


def test_a_world_learns_from_short_windows_around_moments_too(trained: Path, tmp_path: Path) -> None:
    first = Recording.open(trained / "recording").entries("train")[0]
    (tmp_path / "moments.json").write_text(json.dumps({first.sha256: [9]}))
    flags = ["--init", str(trained / "run/world"), "--first", "own-output", "--out", str(tmp_path / "run")]
    flags += ["--own-output-fit.steps", "5", "--moments", str(tmp_path / "moments.json")]
    assert run(_train(trained, *flags, "--moments-window", "2", "--own-output.dreamt", "0.5")) == 0
    assert (tmp_path / "run/world/manifest.json").is_file()


@pytest.mark.parametrize(
    ("flag", "named"),
    [
        ("--own-output.moment 6", "expected --moments FILE"),
        ("--own-output.moment -1", "expected 0 or more"),
        ("--moments-window 1", "expected --moments FILE"),
        ("--moments-window 5", "expected a divisor of window"),
    ],
)
def test_settings_of_moments_that_mean_nothing_are_refused(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flag: str, named: str
) -> None:
    assert run(_train(trained, "--out", str(tmp_path / "run"), *flag.split())) == 2
    assert named in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("file", _RECIPES, ids=lambda file: file.name)
def test_the_recipes_of_worlds_say_how_one_is_trained(file: Path, tmp_path: Path) -> None:
    """A setting that does not exist would be found after hours otherwise."""
    words = ["--config", str(file), "--data", str(tmp_path), "--out", str(tmp_path), "--init", str(tmp_path)]
    assert parse_config(TrainWorldConfig, words, "world train").own_output_fit.steps > 0


def test_a_stage_is_taken_over_from_a_world_only(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(_train(trained, "--first", "own-output")) != 0
    assert "first is own-output; expected tokenizer" in " ".join(capsys.readouterr().err.split())


def test_a_decoder_trained_on_alone_leaves_the_dream_as_it_is(trained: Path, tmp_path: Path) -> None:
    arguments = ["--world", str(trained / "run/world"), "--data", str(trained / "recording")]
    arguments += ["--fit.batch", "16", "--fit.steps", "5", "--fit.warmup", "1", "--threads", "1"]
    arguments += ["--out", str(tmp_path)]
    assert run(["world", "finetune-decoder", *arguments]) == 0
    before, after = load_world(trained / "run/world").world, load_world(tmp_path / "world").world
    changed = {name for name, value in before.state_dict().items() if not torch.equal(value, after.state_dict()[name])}
    assert changed
    changed.discard("strangeness_limit")  # of another decoder, perhaps another
    changed.discard("tokenizer.still_HWC")  # seen in the recording
    assert all(name.startswith("tokenizer.decoder.") for name in changed)


def test_a_world_knows_the_still_picture_of_its_game(trained: Path) -> None:
    tokenizer = load_world(trained / "run/world").world.tokenizer
    assert isinstance(tokenizer, ConvTokenizer)
    still = still_picture(Windows.open(trained / "recording", "train", length=1))[1]
    assert torch.equal(tokenizer.still_HWC, still)
    assert (still != NEVER_STILL).any()


@pytest.mark.parametrize("line", ["JUMP", "3", "LEFT 0", "LEFT x", "LEFT 2 3", "-1", ""])
def test_a_line_that_is_no_action_is_refused_with_its_number(tmp_path: Path, line: str) -> None:
    file = tmp_path / "moves.txt"
    file.write_text(f"{line}\n")
    with pytest.raises(InvalidActions, match=r"moves\.txt"):
        read_actions(file, ("LEFT", "MIDDLE", "RIGHT"))


@pytest.mark.parametrize("start", ["99", "nowhere.png"])
def test_a_start_that_is_not_there_is_refused(trained: Path, start: str, capsys: pytest.CaptureFixture[str]) -> None:
    world = str(trained / "run/world")
    assert run(["world", "rollout", "--world", world, "--start", start, "--out", "x.mp4"]) == 2
    assert start in capsys.readouterr().err
