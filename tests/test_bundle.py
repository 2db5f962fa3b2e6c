"""A bundle is the world: it plays the same wherever it is loaded, and nothing that is not exactly one gets in."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import pickle
import random
import shutil
import socket
import struct
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from data_gen.games import games
from data_gen.recording import InvalidRecording, Recording
from data_gen.twin import Twin
from tiny_world import tiny_bundle, tiny_config, tiny_starts, tiny_world
from toy_game import COUNTING, counter_of
from toy_recording import record_toy
from world_model.blank_world import blank_world
from world_model.bundle import LoadedWorld, load_world, save_world
from world_model.bundle_files import InvalidBundle
from world_model.card import CardFacts, DataFacts, TrainingFacts, card_markdown, memory_seconds, put_into_card
from world_model.conv_tokenizer import ConvTokenizerConfig
from world_model.hub import HubUnavailable, push_world, resolve_world
from world_model.patch_tokenizer import PatchTokenizerConfig
from world_model.plain_config import InvalidConfig, from_plain, read_json, to_plain
from world_model.simulator import Simulator, SimulatorConfig
from world_model.size_limits import check_sizes
from world_model.starts import InvalidStarts, Starts, choose_starts
from world_model.world import World, WorldConfig

LISTED = ("card.md", "config.json", "starts.npz", "weights.safetensors")
FILES = (*LISTED, "manifest.json")
WIDTH = tiny_config().dynamics.width


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("made") / "tiny")


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(made, tmp_path / "tiny"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    root = tmp_path_factory.mktemp("recorded") / "toy"
    record_toy(root)
    return Recording.open(root)


def _reseal(folder: Path) -> None:
    """What somebody would do who wants damage to pass: a manifest that fits it."""
    contents = {name: (folder / name).read_bytes() for name in LISTED}
    files = {n: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for n, c in contents.items()}
    _write_json(folder / "manifest.json", {"format": 1, "files": files})


def _write_json(file: Path, plain: Any) -> None:
    file.write_text(json.dumps(plain, indent=1, sort_keys=True) + "\n")


def _edit_config(folder: Path, path: str, value: Any) -> None:
    config = json.loads((folder / "config.json").read_text())
    *above, last = path.split(".")
    place = config
    for key in above:
        place = place[key]
    place[last] = value
    _write_json(folder / "config.json", config)
    _reseal(folder)


def _edit_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_tensors((folder / "weights.safetensors").read_bytes())
    change(tensors)
    (folder / "weights.safetensors").write_bytes(save_tensors(tensors))
    _reseal(folder)


def _edit_starts(folder: Path, **changes: npt.NDArray[Any]) -> None:
    with np.load(folder / "starts.npz") as loaded:
        arrays = dict(loaded)
    np.savez_compressed(folder / "starts.npz", **{**arrays, **changes})
    _reseal(folder)


def _played(world: World, simulator: SimulatorConfig, starts: Starts) -> list[npt.NDArray[Any]]:
    dreamer, ticks = Simulator(world, simulator), np.random.default_rng(0).integers(0, 3, (20, len(starts), 2))
    state, frames = dreamer.start(starts.contexts(), list(range(len(starts))))
    seen: list[npt.NDArray[Any]] = [frames]
    for executed in ticks:
        state, step = dreamer.step(state, executed)
        seen += [step.frames, step.rewards, step.terminated]
    return seen


# ---- there and back -----------------------------------------------------------------------------------------------


def test_a_loaded_world_plays_on_bit_for_bit(made: Path) -> None:
    loaded = load_world(made)
    before = _played(tiny_world(), SimulatorConfig(), tiny_starts())
    after = _played(loaded.world, loaded.simulator, loaded.starts)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert len({frames.tobytes() for frames in after[1::3]}) > 10, "a still picture would prove nothing"


def test_a_world_that_bfloat16_rounds_plays_as_the_rounded_one(tmp_path: Path) -> None:
    world, rounded = tiny_world(), tiny_world()
    with torch.no_grad():
        for weight, other in zip(world.parameters(), rounded.parameters(), strict=True):
            weight.mul_(1.001)
            other.copy_(weight.bfloat16())
    save_world(tmp_path / "world", world, SimulatorConfig(), tiny_starts(), "")
    loaded = load_world(tmp_path / "world").world.state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in rounded.state_dict().items())
    assert not all(torch.equal(loaded[name], tensor) for name, tensor in world.state_dict().items())


def test_configs_and_starts_come_back_equal(tmp_path: Path) -> None:
    config = dataclasses.replace(tiny_config(), tokenizer=PatchTokenizerConfig(patch=6))
    simulator = SimulatorConfig(steps=2, temperature=0.5, reward="mode")
    torch.manual_seed(0)
    save_world(tmp_path / "world", World(config), simulator, tiny_starts(), "# Words: äöü\n")
    loaded = load_world(tmp_path / "world")
    assert (loaded.world.config, loaded.simulator) == (config, simulator)
    for ours, theirs in zip(tiny_starts(), loaded.starts, strict=True):
        assert np.array_equal(ours.frames, theirs.frames)
        assert np.array_equal(ours.prefix, theirs.prefix)
        assert (ours.reset_seed, ours.kind) == (theirs.reset_seed, theirs.kind)
        assert theirs.context.executed.dtype == np.int64
    assert (tmp_path / "world" / "card.md").read_text() == "# Words: äöü\n"


def test_the_same_world_gives_the_same_bytes_and_digest(made: Path, tmp_path: Path) -> None:
    again = tiny_bundle(tmp_path / "again")
    assert [(again / name).read_bytes() for name in FILES] == [(made / name).read_bytes() for name in FILES]
    assert load_world(made).digest == load_world(again).digest
    other = save_world(tmp_path / "other", tiny_world(seed=1), SimulatorConfig(), tiny_starts(), "# A tiny world\n")
    assert other != load_world(made).digest


def test_loading_leaves_the_global_generator_alone(made: Path) -> None:
    before = torch.get_rng_state()
    load_world(made)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    World(tiny_config())
    assert not torch.equal(torch.get_rng_state(), state), "making a world would have changed it"


def test_a_blank_world_is_a_world_but_for_its_numbers() -> None:
    blank, world = blank_world(tiny_config(), 1 << 24), World(tiny_config())
    assert {n: (t.shape, t.dtype) for n, t in blank.state_dict().items()} == {
        n: (t.shape, t.dtype) for n, t in world.state_dict().items()
    }
    persistent = world.state_dict().keys()
    for name, buffer in world.named_buffers():
        assert torch.equal(buffer, blank.get_buffer(name))
    assert {name for name, _ in world.named_buffers()} - persistent, "those that no file holds"


# ---- writing ------------------------------------------------------------------------------------------------------


def _save(folder: Path, world: World | None = None, overwrite: bool = False) -> str:
    world = world or tiny_world(seed=1)
    return save_world(folder, world, SimulatorConfig(), tiny_starts(), "# Another\n", overwrite)


def test_a_world_is_not_overwritten_unless_asked(folder: Path) -> None:
    before = load_world(folder).digest
    with pytest.raises(FileExistsError, match="already holds a world"):
        _save(folder)
    assert load_world(folder).digest == before
    assert _save(folder, overwrite=True) == load_world(folder).digest != before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_what_is_no_world_is_never_overwritten(folder: Path) -> None:
    (folder / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"thesis\.tex, which is no part of a world"):
        _save(folder, overwrite=True)
    with pytest.raises(FileExistsError, match="is a file"):
        _save(folder / "thesis.tex", overwrite=True)
    assert (folder / "thesis.tex").read_text() == "years of work"


def test_a_world_that_cannot_be_loaded_is_not_published(folder: Path) -> None:
    before, broken = load_world(folder).digest, tiny_world()
    with torch.no_grad():
        broken.dynamics.place[0, 0] = torch.nan
    with pytest.raises(InvalidBundle, match=r"dynamics\.place holds numbers that are not finite"):
        _save(folder, broken, overwrite=True)
    assert load_world(folder).digest == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_what_a_killed_save_left_is_swept(folder: Path) -> None:
    for leftover in (".tiny.unfinished", ".tiny.replaced"):
        shutil.copytree(folder, folder.with_name(leftover))
    _save(folder, overwrite=True)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


# ---- damage -------------------------------------------------------------------------------------------------------


def _refused(folder: Path, *names: str) -> str:
    """The message with which a bundle is refused; it must name one of these files."""
    with pytest.raises(InvalidBundle) as refusal:
        load_world(folder)
    assert any(name in str(refusal.value) for name in names), refusal.value
    return str(refusal.value)


def _damaged(folder: Path, times: int, change: Callable[[bytes], bytes]) -> Iterator[str]:
    """Each of the files in turn, changed, and whole again afterwards."""
    for turn in range(times):
        file = folder / FILES[turn % len(FILES)]
        content = file.read_bytes()
        file.write_bytes(change(content))
        yield file.name
        file.write_bytes(content)
    load_world(folder)


def test_each_of_200_truncations_is_refused_with_the_file_named(folder: Path) -> None:
    rng = random.Random(0)
    for name in _damaged(folder, 200, lambda content: content[: rng.randrange(len(content))]):
        _refused(folder, name)


def test_each_of_300_flipped_bits_is_refused_with_the_file_named(folder: Path) -> None:
    rng = random.Random(1)

    def flip(content: bytes) -> bytes:
        place = rng.randrange(len(content))
        return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]

    for name in _damaged(folder, 300, flip):
        _refused(folder, name)


@pytest.mark.parametrize("name", FILES)
def test_missing_renamed_linked_and_other_files_are_refused(folder: Path, tmp_path: Path, name: str) -> None:
    file, aside = folder / name, tmp_path / "aside"
    file.rename(aside)
    _refused(folder, name)
    shutil.copy(aside, folder / name.upper())
    _refused(folder, name)
    (folder / name.upper()).unlink()
    file.symlink_to(aside)
    assert "not a plain file" in _refused(folder, name)
    file.unlink()
    file.mkdir()
    assert "not a plain file" in _refused(folder, name)
    file.rmdir()
    os.mkfifo(file)  # reading it would wait for ever
    assert "not a plain file" in _refused(folder, name)


@pytest.mark.parametrize("name", ["weights.pt", "model.pth", ".hidden", "weights.safetensors.bak", "__pycache__"])
def test_extra_files_are_refused(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"")
    _refused(folder, name)


def test_files_of_another_world_are_refused(folder: Path, tmp_path: Path) -> None:
    """Swapped with those of a world that is whole, and with each other."""
    _save(tmp_path / "other")
    for name in set(FILES) - {"config.json", "starts.npz"}:  # these two are alike
        shutil.copy(folder / name, tmp_path / "kept")
        shutil.copy(tmp_path / "other" / name, folder / name)
        _refused(folder, *FILES)
        shutil.copy(tmp_path / "kept", folder / name)
    (folder / "card.md").rename(tmp_path / "kept")
    (folder / "config.json").rename(folder / "card.md")
    (tmp_path / "kept").rename(folder / "config.json")
    _refused(folder, "config.json", "card.md")
    _reseal(folder)
    assert "is not JSON of ours" in _refused(folder, "config.json")


def test_a_missing_world_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neural-env world train"):
        load_world(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["manifest.json", "config.json"])
@pytest.mark.parametrize(
    ("version", "words"), [(2, "formats up to 1: upgrade"), (0, "no release"), ("1", "no release")]
)
def test_another_format_is_refused_with_both_versions_named(folder: Path, name: str, version: Any, words: str) -> None:
    """Even if everything else in the file is unknown as well."""
    _write_json(folder / name, {"format": version, "new": []})
    if name != "manifest.json":
        _reseal(folder)
    message = _refused(folder, name)
    assert repr(version) in message
    assert words in message


def test_a_manifest_in_other_words_is_refused(folder: Path) -> None:
    """The digest names a world: one content, one text."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for text in (json.dumps(manifest), json.dumps(manifest, indent=2), json.dumps(manifest, indent=1, sort_keys=True)):
        (folder / "manifest.json").write_text(text)
        assert "not written as this program writes it" in _refused(folder, "manifest.json")
    _write_json(folder / "manifest.json", manifest)
    load_world(folder)


# ---- weights ------------------------------------------------------------------------------------------------------


def test_a_number_that_is_not_finite_is_refused_in_every_tensor(folder: Path) -> None:
    content = (folder / "weights.safetensors").read_bytes()
    names = [name for name, tensor in load_tensors(content).items() if tensor.is_floating_point()]
    assert len(names) > 50
    for turn, name in enumerate(sorted(names)):
        bad = (torch.nan, torch.inf, -torch.inf)[turn % 3]

        def plant(tensors: dict[str, torch.Tensor], name: str = name, bad: float = bad) -> None:
            tensors[name].view(-1)[-1] = bad

        _edit_weights(folder, plant)
        assert f"tensor {name} holds numbers that are not finite" in _refused(folder, "weights.safetensors")
        (folder / "weights.safetensors").write_bytes(content)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("dynamics.place"), r"missing tensors ['dynamics.place']"),
        (lambda t: t.update(extra=torch.zeros(1)), r"unknown tensors ['extra']"),
        (
            lambda t: t.update({"dynamics.place": t["dynamics.place"].T.contiguous()}),
            f"BF16 [{WIDTH}, 9]; the config asks",
        ),
        (
            lambda t: t.update({"dynamics.place": t["dynamics.place"].float()}),
            f"F32 [9, {WIDTH}]; the config asks for BF16",
        ),
        (
            lambda t: t.update({"dynamics.place": t["dynamics.place"][:8].contiguous()}),
            f"BF16 [8, {WIDTH}]; the config",
        ),
    ],
)
def test_weights_that_are_not_the_configs_are_refused(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], Any], words: str
) -> None:
    _edit_weights(folder, change)
    assert words in _refused(folder, "weights.safetensors")


def test_a_tensor_header_that_lies_is_refused(folder: Path) -> None:
    content = (folder / "weights.safetensors").read_bytes()
    length = struct.unpack_from("<Q", content)[0]
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    first, second, *_ = header
    lies: list[Any] = [
        *([], {}, 7, {first: 7}, {name: {} for name in header}, {**header, "__metadata__": {"a": "b"}}),
        {**header, first: {**header[first], "data_offsets": [0, 10**15]}},
        {**header, first: {**header[first], "data_offsets": header[second]["data_offsets"]}},
        {**header, first: {**header[first], "shape": [-1]}},
    ]
    written = [json.dumps(lie).encode() for lie in lies]
    files = [struct.pack("<Q", len(text)) + text + data for text in written]
    too_long = [struct.pack("<Q", size) + content[8:] for size in (0, 10**12, 2**64 - 1, len(content))]
    too_long += [b"", b"short"]
    files += [*too_long, content + b"\0", content[:-1], content[: 8 + length]]
    for file in files:
        (folder / "weights.safetensors").write_bytes(file)
        _reseal(folder)
        message = _refused(folder, "weights.safetensors")
        assert ("its header claims" in message) == (file in too_long), message


# ---- hostile files ------------------------------------------------------------------------------------------------


class _Bomb:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return (Path.touch, (self.marker,))


def test_a_pickle_under_our_names_is_refused_and_never_run(folder: Path, tmp_path: Path) -> None:
    marker = tmp_path / "exploded"
    bomb = pickle.dumps(_Bomb(marker))
    for name in FILES:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(bomb)
        if name != "manifest.json":
            _reseal(folder)
        _refused(folder, name)
        (folder / name).write_bytes(content)
    _reseal(folder)
    torch.save(_Bomb(marker), folder / "starts.npz")  # a zip as well
    _reseal(folder)
    _refused(folder, "starts.npz")
    (folder / "starts.npz").write_bytes(tiny_starts().to_npz())
    _edit_starts(folder, reset_seeds=np.array([_Bomb(marker)] * 4, object))
    assert "reset_seeds is object" in _refused(folder, "starts.npz")
    assert not marker.exists()
    pickle.loads(bomb)
    assert marker.exists(), "the bomb would have gone off"


_NASTY: list[Any] = [10**12, -1, 10**400, True, 2.5, "8", None, [], {}, float("nan")]
_SIZES = [
    *(f"tokenizer.{name}" for name in ("side", "channels", "hidden")),
    *(f"dynamics.{name}" for name in ("width", "layers", "head_layers", "heads", "mlp", "reach", "memory_width")),
    *("outcome.token_width", "outcome.hidden", "game.ticks_per_step"),
]


@pytest.mark.parametrize("path", _SIZES)
def test_a_size_that_cannot_be_is_refused_by_name(path: str) -> None:
    """On the config alone, as loading does it; that loading does is shown below."""
    for value in _NASTY:
        plain = to_plain(tiny_config())
        group, name = path.split(".")
        plain[group][name] = value
        with pytest.raises(InvalidConfig, match=rf"{group}\.{name} is|{group}: {name} is|GameSpec\.{name} is"):
            check_sizes(from_plain(WorldConfig, plain))


def test_a_lane_cannot_ask_for_more_memory_than_a_machine_has() -> None:
    config = tiny_config()
    dynamics = dataclasses.replace(config.dynamics, reach=1024, memory_width=1024)
    check_sizes(dataclasses.replace(config, dynamics=dynamics))
    dynamics = dataclasses.replace(dynamics, memory_width=2048)
    with pytest.raises(InvalidConfig, match=r"world\.dynamics needs \d+ bytes of memory a lane; expected at most"):
        check_sizes(dataclasses.replace(config, dynamics=dynamics))


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("format", True, "format is True"),
        ("unknown", 1, 'unknown fields ["unknown"]'),
        ("world.tokenizer.colour", 1, 'world.tokenizer: unknown fields ["colour"]'),
        ("world.tokenizer.name", "os.system", "world.tokenizer.name is \"os.system\"; expected 'conv' or 'patch'"),
        ("world.tokenizer.name", "patch", "world.tokenizer: unknown fields"),
        ("world.tokenizer", [], "expected an object whose name is 'conv' or 'patch'"),
        ("world.tokenizer.channels", 10**12, "world.tokenizer.channels is 1000000000000; expected 1 to"),
        ("world.tokenizer.noise", 10**400, "world.tokenizer.noise"),
        ("world.tokenizer.kl", "0", 'world.tokenizer.kl is "0"; expected float'),
        ("world.tokenizer.side", 10, "10 pixels does not divide a frame of 36x36"),
        ("world.tokenizer.side", 9, "side is 9; expected an even number"),
        ("world.tokenizer.side", 6, "the config asks for"),
        ("world.dynamics.heads", 5, f"world.dynamics.width is {WIDTH}; 5 heads do not divide it"),
        ("world.dynamics.time_layers", [1, 0], "world.dynamics.time_layers is (1, 0); expected ascending"),
        ("world.dynamics.time_layers", [0, 0], "world.dynamics.time_layers"),
        ("world.dynamics.time_layers", [2], "world.dynamics.time_layers"),
        ("world.dynamics.time_layers", [0, True], "world.dynamics.time_layers.1 is true; expected int"),
        ("world.dynamics.time_layers", "01", "world.dynamics.time_layers"),
        ("world.outcome.rewards", [], "world.outcome.rewards is 0 values"),
        ("world.outcome.rewards", [1.0, 0.0], "ascending values"),
        ("world.outcome.rewards", [0.0, None], "world.outcome.rewards.1 is null; expected float"),
        ("world.game", None, "world.game is null"),
        ("world.game.name", "../Pong", "GameSpec.name"),
        ("world.game.name", 7, "world.game.name is 7; expected str"),
        ("world.game.frame_size", [36], "world.game.frame_size is [36]; expected 2 values"),
        ("world.game.frame_size", [36.0, 36], "world.game.frame_size.0 is 36.0; expected int"),
        ("world.game.frame_size", [1 << 40, 36], "GameSpec.frame_size"),
        ("world.game.frame_size", [1020, 1020], "makes 7225 tokens of a frame"),
        ("world.game.action_meanings", "ABC", "world.game.action_meanings"),
        ("world.game.action_meanings", ["A"] * 1000, "world.game.action_meanings is 1000 names"),
        ("world.game.entry_point", "os:system", "GameSpec has no field entry_point"),
        ("world.game.emulator", "os:system", "world.game.emulator"),
        ("world.game.keys", {"a": "1"}, "world.game.keys.a"),
        ("world.game.repeat_action_probability", 1.5, "GameSpec.repeat_action_probability"),
        ("simulator.steps", 10**9, "simulator: steps is 1000000000; expected 1 to"),
        ("simulator.reward", "best", "simulator.reward is \"best\"; expected 'sample' or 'mode'"),
        ("simulator.temperature", -1.0, "simulator: temperature is -1.0"),
    ],
)  # fmt: skip
def test_a_config_that_says_something_impossible_is_refused(folder: Path, path: str, value: Any, words: str) -> None:
    _edit_config(folder, path, value)
    assert words in _refused(folder, "config.json", "weights.safetensors")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"noise": 0.1', '"noise": NaN'), ('"noise": 0.1', '"noise": -Infinity'), ('"noise": 0.1', '"noise": 1e999'),
        ('"noise": 0.1', '"noise": 0.1, "noise": 0.2'), ('"noise": 0.1', '"Noise": 0.1'), ('"format": 1,', ""),
        ('"noise": 0.1', ""), ("{", "[" * 1000), ("{", "[" * 100_000), ("}", "}}"), ("{", "\ufeff{"),
        ('"emulator_kwargs": {}', '"emulator_kwargs": {"a": ' + "[" * 40 + "]" * 40 + "}"),
        ('"emulator_kwargs": {}', '"emulator_kwargs": {"a": ' + "9" * 5000 + "}"),
        ('"emulator_kwargs": {}', '"emulator_kwargs": {"a": [1e999]}'),
    ],
)  # fmt: skip
def test_a_config_in_other_words_is_refused(folder: Path, old: str, new: str) -> None:
    text = (folder / "config.json").read_text()
    assert old in text
    (folder / "config.json").write_text(text.replace(old, new, 1))
    _reseal(folder)
    _refused(folder, "config.json")


@dataclass(frozen=True)
class _Settings:
    pace: float | Literal["auto"] = "auto"
    limit: int | None = None
    sizes: tuple[int, str] = (1, "a")
    shares: dict[str, float] = field(default_factory=dict)
    tokenizer: ConvTokenizerConfig | PatchTokenizerConfig | None = None


def test_json_is_read_as_its_standard_has_it() -> None:
    for text in (
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b'{"a": 1, "a": 1}',
        b"[1,]",
        b"\xff",
        b"\xef\xbb\xbf1",
        b"[",
    ):
        with pytest.raises(InvalidConfig, match="is not JSON of ours"):
            read_json(text)
    assert read_json(b'[1, 2.5, "a", null, {"a": true}]') == [1, 2.5, "a", None, {"a": True}]


def test_any_dataclass_of_plain_values_goes_through_json_and_back() -> None:
    for settings in (
        _Settings(),
        _Settings(0.5, 3, (2, "b"), {"x": 1.5}, PatchTokenizerConfig()),
        _Settings(tokenizer=ConvTokenizerConfig(channels=3)),
    ):
        assert from_plain(_Settings, json.loads(json.dumps(to_plain(settings)))) == settings
    for field_name, value, words in (
        ("pace", "fast", r"pace is \"fast\"; expected float or 'auto'"),
        ("pace", None, "pace is null"),
        ("limit", 1.5, "limit is 1.5; expected int"),
        ("sizes", [1, 2], r"sizes\.1 is 2; expected str"),
        ("shares", {"x": "1"}, r"shares\.x is \"1\"; expected float"),
        ("tokenizer", {"name": "conv"}, r"tokenizer: unknown fields \[\], missing fields \[\"channels\", \"hidden\""),
        ("tokenizer", "conv", "tokenizer is \"conv\"; expected an object whose name is 'conv' or 'patch'"),
    ):
        with pytest.raises(InvalidConfig, match=words):
            from_plain(_Settings, {**to_plain(_Settings()), field_name: value})
    for settings in (_Settings(pace=float("nan")), _Settings(sizes=[1, "a"]), _Settings(limit=True)):  # type: ignore[arg-type]
        with pytest.raises(InvalidConfig):
            to_plain(settings)


def test_a_hostile_game_is_data_and_nothing_else(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A game of somebody else's would be imported by its id: only who makes the game does so, never who loads it."""
    (tmp_path / "evil_game.py").write_text(f"import pathlib\npathlib.Path({str(tmp_path / 'exploded')!r}).touch()")
    monkeypatch.syspath_prepend(str(tmp_path))
    for path, value in {
        "world.game.emulator_id": "evil_game:Evil-v0",
        "world.game.emulator_kwargs": {"entry_point": "os:system", "vector_entry_point": "evil_game:main"},
        "world.game.name": "Pong",
    }.items():
        _edit_config(folder, path, value)
    known, registered = games(), dict(gymnasium.registry)
    loaded = load_world(folder)
    assert loaded.world.config.game.emulator_id == "evil_game:Evil-v0"
    assert not (tmp_path / "exploded").exists()
    assert "evil_game" not in sys.modules
    assert (games(), dict(gymnasium.registry)) == (known, registered)
    with pytest.raises(gymnasium.error.Error):
        Twin(loaded.world.config.game)
    assert (tmp_path / "exploded").exists(), "who makes that game runs it"


_OPENED: list[str] = []
_WATCHED: list[Path] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _WATCHED and event == "open" and isinstance(arguments[0], (str, bytes)):
        _OPENED.append(os.path.abspath(os.fsdecode(arguments[0])))  # noqa: PTH100  (no links followed)


sys.addaudithook(_watch)  # for good: an audit hook cannot be taken away


@pytest.mark.parametrize(
    "name",
    ["../secret", "../../secret", "/etc/passwd", "//etc/passwd", "~/secret", "~root/secret", "./card.md", "card.md/",
     "card.md/.", "x/../card.md", "card.md\0", "card.md\0.png", "\0", "", ".", "..", "C:\\secret", "C:secret",
     "\\\\host\\secret", "..\\secret", "file:///etc/passwd", "hf:org/name@main", "..\u2215secret", "\uff0e\uff0e/x",
     "%2e%2e%2fsecret", "card.md\n", " card.md", "CARD.MD", "card.md ", "a" * 10_000, "/dev/stdin", "/proc/self/mem",
     "card\u200b.md", "con", "$HOME/secret"],
)  # fmt: skip
def test_a_manifest_cannot_name_a_file_outside(folder: Path, tmp_path: Path, name: str) -> None:
    """In place of one of ours, and besides them; nothing outside the folder is opened meanwhile."""
    (tmp_path / "secret").write_text("secret")
    manifest = json.loads((folder / "manifest.json").read_text())
    files = manifest["files"]
    instead = {name if each == "card.md" else each: entry for each, entry in files.items()}
    for hostile in (instead, files | {name: files["card.md"]}):
        _write_json(folder / "manifest.json", manifest | {"files": hostile})
        _WATCHED.append(folder)
        try:
            _refused(folder, "manifest.json")
        finally:
            _WATCHED.clear()
            opened, _OPENED[:] = list(_OPENED), []
        assert opened, "the watcher slept"
        assert all(Path(file).parent == folder for file in opened), opened


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"bytes": 15}, "missing fields"), ({"bytes": -1, "sha256": ""}, "bytes"), ([15, ""], "expected an object"),
        ({"bytes": "15", "sha256": ""}, "bytes"), ({"bytes": 10**30, "sha256": ""}, "bytes"),
        ({"bytes": 15, "sha256": None}, "sha256"), ({"bytes": 15, "sha256": "", "path": "/etc/passwd"}, "path"),
        ({"bytes": 15, "sha256": "0" * 64}, "is damaged: its SHA-256 is"), ({"bytes": 15.0, "sha256": ""}, "bytes"),
    ],
)  # fmt: skip
def test_a_manifest_entry_that_cannot_be_is_refused(folder: Path, entry: Any, words: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["card.md"] = entry
    _write_json(folder / "manifest.json", manifest)
    assert words in _refused(folder, "manifest.json", "card.md")


# ---- bombs --------------------------------------------------------------------------------------------------------

_LOAD = """
import resource, sys, time
from pathlib import Path
from world_model.bundle import load_world

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

load_world(sys.argv[1])
for folder in sys.argv[2:]:
    before, began = peak(), time.process_time()
    try:
        load_world(folder)
        refused = "loaded"
    except ValueError as fault:
        refused = type(fault).__name__
    print(Path(folder).name, refused, time.process_time() - began, peak() - before)
"""


def _npz_claiming(folder: Path, claimed: int, rows: int, shared: int | None = None) -> None:
    """Starts whose frames claim so many rows, are that many, and are shared out as if they were that many."""
    starts, header = tiny_starts(), io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (claimed, 36, 36, 3)}
    )
    with zipfile.ZipFile(io.BytesIO(starts.to_npz())) as old, zipfile.ZipFile(folder / "starts.npz", "w") as new:
        counts = io.BytesIO()
        np.save(counts, np.array([1, (claimed if shared is None else shared) - 3, 1, 1]))
        for name in set(old.namelist()) - {"frames.npy"}:
            new.writestr(name, counts.getvalue() if name == "frame_counts.npy" else old.read(name))
        new.compression, new.compresslevel = zipfile.ZIP_DEFLATED, 1
        with new.open("frames.npy", "w") as stream:
            stream.write(header.getvalue())
            for _ in range(rows // 1000):
                stream.write(bytes(1000 * 36 * 36 * 3))
    _reseal(folder)


def _many_members(folder: Path) -> None:
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", *[0] * 18)
    count = 200_000
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, count * len(entry), 0, 0)
    (folder / "starts.npz").write_bytes(entry * count + end)
    _reseal(folder)


def _deep_config(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)
    _reseal(folder)


def _many_tensors(folder: Path) -> None:
    header = ",".join(f'"{n}":{{"dtype":"BF16","shape":[0],"data_offsets":[0,0]}}' for n in range(1_000_000))
    text = b"{" + header.encode() + b"}"
    (folder / "weights.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    _reseal(folder)


def _deep_header(folder: Path) -> None:
    text = b"[" * 100_000
    (folder / "weights.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)
    _reseal(folder)


def _sparse(folder: Path, name: str, size: int) -> None:
    with (folder / name).open("wb") as file:
        file.truncate(size)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": size, "sha256": "0" * 64}
    _write_json(folder / "manifest.json", manifest)


def _large_but_allowed(folder: Path) -> None:
    """Every size at its limit: 90 billion parameters, promised by a small file."""
    sizes: Mapping[str, Any] = {
        "width": 2048, "layers": 64, "head_layers": 64, "heads": 64, "mlp": 16, "reach": 1024, "memory_width": 64,
        "time_layers": list(range(1)),
    }  # fmt: skip
    for name, value in sizes.items():
        _edit_config(folder, f"world.dynamics.{name}", value)


_BOMBS: dict[str, Callable[[Path], Any]] = {
    "channels": lambda folder: _edit_config(folder, "world.tokenizer.channels", 10**12),
    "reach": lambda folder: _edit_config(folder, "world.dynamics.reach", 10**12),
    "time_layers": lambda folder: _edit_config(folder, "world.dynamics.time_layers", [0] * 100_000),
    "parameters": _large_but_allowed,
    "deep_config": _deep_config,
    "deep_manifest": lambda folder: (folder / "manifest.json").write_text("[" * 60_000),
    "wide_manifest": lambda folder: os.truncate(folder / "manifest.json", 1 << 34),
    "many_tensors": _many_tensors,
    "deep_header": _deep_header,
    "zip_too_large": lambda folder: _npz_claiming(folder, 100_000, 100_000),
    "zip_of_nothing": lambda folder: _npz_claiming(
        folder, 60_000, 60_000, shared=10
    ),  # small enough, but nobody starts there
    "terabyte": lambda folder: _npz_claiming(folder, 300_000_000, 0),
    "wrapping": lambda folder: _npz_claiming(folder, 2**62, 0),
    "many_members": _many_members,
    "sparse_weights": lambda folder: _sparse(folder, "weights.safetensors", 1 << 34),
    "allowed_weights": lambda folder: _sparse(folder, "weights.safetensors", 1 << 30),
    "sparse_card": lambda folder: _sparse(folder, "card.md", 1 << 34),
    "sparse_starts": lambda folder: _sparse(folder, "starts.npz", 1 << 34),
}


def test_bombs_are_refused_within_a_second_and_200_megabytes(made: Path, tmp_path: Path) -> None:
    """In a process of its own: memory that it once took would hide what the next one takes."""
    for name, make in _BOMBS.items():
        make(Path(shutil.copytree(made, tmp_path / name)))
    command = [sys.executable, "-c", _LOAD, str(made), *(str(tmp_path / name) for name in _BOMBS)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    for name in _BOMBS:
        shutil.rmtree(tmp_path / name)
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert [line[0] for line in lines] == list(_BOMBS)
    for name, refused, seconds, megabytes in lines:
        assert refused == "InvalidBundle", name
        assert float(seconds) < 1, name
        assert float(megabytes) < 200, name


# ---- starts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ticks": np.full((12, 2), 3, np.uint8)}, "ticks holds action 3; expected 0 to 2"),
        ({"ticks": np.zeros((12, 3), np.uint8)}, "ticks is uint8 (12, 3)"),
        ({"ticks": np.zeros((13, 2), np.uint8)}, "step_counts does not share out the 13 rows of ticks"),
        ({"frames": np.zeros((10, 35, 36, 3), np.uint8)}, "frames is uint8 (10, 35, 36, 3)"),
        ({"frames": np.zeros((10, 36, 36, 3), np.float32)}, "frames is float32"),
        ({"frames": np.asfortranarray(np.zeros((10, 36, 36, 3), np.uint8))}, "frames is uint8"),
        ({"frames": np.zeros((11, 36, 36, 3), np.uint8)}, "frame_counts does not share out the 11 rows"),
        ({"frame_counts": np.array([0, 5, 1, 4])}, "frame_counts does not share out"),
        ({"frame_counts": np.array([2, 3, 1, 4])}, "2 frames and 0 steps before the last"),
        ({"frame_counts": np.array([2**62, 2**62, 2**62, 2**62 + 10])}, "frame_counts does not share out"),
        ({"frame_counts": np.array([[1, 4, 1, 4]])}, "frame_counts is int64 (1, 4)"),
        ({"step_counts": np.array([0, -5, 0, 17])}, "step_counts does not share out"),
        ({"step_counts": np.array([0, 5, 0])}, "starts; expected one number"),
        ({"reset_seeds": np.array([0, 1, 2, -1])}, "reset_seeds holds -1; expected 0 or more"),
        ({"reset_seeds": np.array([0, 1, 2, 3], np.uint64)}, "reset_seeds is uint64"),
        ({"reset_seeds": np.array([0, 1, 2, 3], ">i8")}, "reset_seeds is >i8"),
        ({"more": np.zeros(1)}, "more.npy"),
    ],
)
def test_starts_that_cannot_be_are_refused(folder: Path, changes: dict[str, Any], words: str) -> None:
    assert tiny_starts()[3].frames.shape == (4, 36, 36, 3)
    _edit_starts(folder, **changes)
    assert words in _refused(folder, "starts.npz")


def test_no_starts_are_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(InvalidStarts, match="there are no starts"):
        save_world(tmp_path / "world", tiny_world(), SimulatorConfig(), Starts([]), "")
    assert not list(tmp_path.iterdir())


def test_the_twin_reaches_every_start_by_replay(recording: Recording) -> None:
    """Byte for byte the last frame of the context; the frames before it are those on the way there."""
    starts = choose_starts(recording, "test", beginnings=3, middles=9, context=5, seed=0)
    assert recording.manifest.game is not None
    twin = Twin(recording.manifest.game)
    for start in Starts.from_npz(starts.to_npz(), COUNTING):
        shown = [twin.replay(start.reset_seed, start.prefix[:steps])[0] for steps in range(len(start.prefix) + 1)]
        assert np.array_equal(start.frames, shown[-len(start.frames) :])
        counters = [counter_of(frame) for frame in start.frames]
        assert counters == list(range(2 * len(start.prefix) - 2 * len(start.executed), 2 * len(start.prefix) + 1, 2))
    assert [start.kind for start in starts] == ["beginning"] * 3 + ["middle"] * 9
    assert [len(start.frames) for start in starts] == [1] * 3 + [5] * 9


def test_starts_are_spread_over_held_out_episodes_and_follow_from_the_seed(recording: Recording) -> None:
    def chosen(seed: int) -> Starts:
        return choose_starts(recording, "test", beginnings=2, middles=9, context=3, seed=seed)

    seeds = {recording.load(entry).provenance["reset_seed"] for entry in recording.entries("test")}
    used = [start.reset_seed for start in chosen(0)]
    assert len(set(used[:2])) == 2
    assert sorted(map(used[2:].count, seeds)) == [3, 3, 3]
    assert chosen(0).to_npz() == chosen(0).to_npz() != chosen(1).to_npz()
    moments = {(start.reset_seed, len(start.prefix)) for start in chosen(0)[2:]}
    assert len(moments) == 9


def test_no_game_is_over_at_its_start(recording: Recording) -> None:
    """Asked for every moment there is, none is the reset frame, and each can be gone on from."""
    steps = [entry.steps for entry in recording.entries("test")]
    everything = sum(steps) - len(steps)
    starts = choose_starts(recording, "test", beginnings=0, middles=everything, context=1, seed=0)
    assert sorted(len(start.prefix) for start in starts) == sorted(t for n in steps for t in range(1, n))
    with pytest.raises(InvalidStarts, match=f"{everything} moments for {everything + 1} starts"):
        choose_starts(recording, "test", beginnings=0, middles=everything + 1, context=1, seed=0)


def test_starts_that_nobody_could_replay_are_refused(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidStarts, match="asked for 99 beginnings"):
        choose_starts(recording, "test", 99, 0, 2, 0)
    with pytest.raises(InvalidStarts, match="at least one start"):
        choose_starts(recording, "test", 0, 0, 2, 0)
    with pytest.raises((ValueError, InvalidRecording), match="split"):
        choose_starts(recording, "tset", 1, 1, 2, 0)
    load = Recording.load
    lacking: dict[str, Any]
    for lacking, words in (({"executed": None}, "lacks executed ticks"), ({"provenance": {}}, "lacks a reset seed")):
        monkeypatch.setattr(
            Recording, "load", lambda self, entry, lacking=lacking: dataclasses.replace(load(self, entry), **lacking)
        )
        with pytest.raises(InvalidStarts, match=words):
            choose_starts(recording, "test", 1, 1, 2, 0)


# ---- the hub and the network --------------------------------------------------------------------------------------


def _no_network(*arguments: Any, **named: Any) -> None:
    raise AssertionError("the network was touched")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", _no_network)
    monkeypatch.setattr(socket.socket, "connect_ex", _no_network)
    monkeypatch.setattr(socket, "getaddrinfo", _no_network)
    monkeypatch.setattr(socket, "create_connection", _no_network)


@pytest.mark.usefixtures("offline")
def test_without_the_prefix_nothing_touches_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    folder = tiny_bundle(tmp_path / "org" / "name")
    monkeypatch.chdir(tmp_path)
    for name in (str(folder), "org/name", "./org/name"):
        assert isinstance(load_world(resolve_world(name)), LoadedWorld)
    with pytest.raises(FileNotFoundError, match="there is no world in"):
        load_world(resolve_world("org/other"))
    with pytest.raises(AssertionError, match="the network was touched"):
        socket.create_connection(("localhost", 1))


def test_the_prefix_names_the_extra_that_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(HubUnavailable, match=r"pip install 'neural-env\[hub\]'"):
        resolve_world("hf:org/name@v1", tmp_path)


@pytest.mark.parametrize(
    "name",
    ["hf:", "hf:name", "hf:org/name", "hf:org/name@", "hf:/name@v1", "hf:org/../x@v1", "hf:../name@v1",
     "hf:org/name@..", "hf:org/name@v1/../..", "hf:org/a/b@v1", "hf:org/name@v1@v2", "hf:org/name@v1\n",
     "hf:" + "a" * 500 + "/b@v1", "hf:https://evil/x@v1", "hf:org/name@-v1"],
)  # fmt: skip
@pytest.mark.usefixtures("offline")
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names no world"):
        resolve_world(name, tmp_path)


class _Hub(types.ModuleType):
    """As much of huggingface_hub as is used: one repository, which is a folder."""

    commit = "0123456789abcdef0123456789abcdef01234567"

    def __init__(self, repository: Path) -> None:
        super().__init__("huggingface_hub")
        self.repository = repository
        self.asked: list[str] = []

    def HfApi(self) -> _Hub:
        return self

    def repo_info(self, repository: str, *, revision: str) -> Any:
        self.asked.append(f"{repository}@{revision}")
        if repository != "org/name":
            raise LookupError("404")
        return types.SimpleNamespace(sha=self.commit)

    def get_paths_info(self, repository: str, paths: list[str], *, revision: str) -> list[Any]:
        there = (self.repository / path for path in paths)
        return [types.SimpleNamespace(path=file.name, size=file.stat().st_size) for file in there if file.exists()]

    def hf_hub_download(self, repository: str, file: str, *, revision: str) -> str:
        assert revision == self.commit
        self.asked.append(file)
        return str(self.repository / file)

    def create_repo(self, repository: str, *, exist_ok: bool) -> None:
        assert exist_ok

    def upload_folder(self, *, repo_id: str, folder_path: str, allow_patterns: list[str], commit_message: str) -> Any:
        assert sorted(allow_patterns) == sorted(FILES)
        shutil.copytree(folder_path, self.repository, dirs_exist_ok=True)
        return types.SimpleNamespace(oid=self.commit)


@pytest.fixture
def hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> _Hub:
    hub = _Hub(folder)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    return hub


@pytest.mark.usefixtures("offline")
def test_a_world_from_the_hub_is_fetched_checked_and_kept(hub: _Hub, made: Path, tmp_path: Path) -> None:
    (hub.repository / "evil.py").write_text("raise SystemExit")
    fetched = resolve_world("hf:org/name@v1", tmp_path / "cache")
    assert sorted(hub.asked) == sorted(["org/name@v1", *FILES]), "only the five files"
    assert load_world(fetched).digest == load_world(made).digest
    hub.asked.clear()
    assert resolve_world(f"hf:org/name@{hub.commit}", tmp_path / "cache") == fetched
    assert hub.asked == [], "a commit does not change"
    assert resolve_world("hf:org/name@v1", tmp_path / "cache") == fetched
    assert hub.asked == ["org/name@v1"], "a tag may, but its commit is here"


def test_a_damaged_world_on_the_hub_is_refused_and_not_kept(hub: _Hub, tmp_path: Path) -> None:
    (hub.repository / "card.md").write_bytes(b"# A tiny war\nld")
    with pytest.raises(InvalidBundle, match=r"card\.md is damaged"):
        resolve_world("hf:org/name@v1", tmp_path / "cache")
    _sparse(hub.repository, "card.md", 1 << 21)
    hub.asked.clear()
    with pytest.raises(ValueError, match=r"card\.md of 2097152 bytes"):
        resolve_world("hf:org/name@v1", tmp_path / "cache")
    (hub.repository / "card.md").unlink()
    with pytest.raises(ValueError, match=r"no file card\.md"):
        resolve_world("hf:org/name@v1", tmp_path / "cache")
    assert set(hub.asked) == {"org/name@v1"}, "too large to be fetched"
    with pytest.raises(HubUnavailable, match="hf:org/other@v1 could not be found: 404"):
        resolve_world("hf:org/other@v1", tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_only_a_whole_world_is_pushed(hub: _Hub, made: Path, tmp_path: Path) -> None:
    hub.repository = tmp_path / "repository"
    name = push_world(made, "org/name")
    assert load_world(resolve_world(name, tmp_path / "cache")).digest == load_world(made).digest
    broken = Path(shutil.copytree(made, tmp_path / "broken"))
    (broken / "card.md").write_text("")
    with pytest.raises(InvalidBundle):
        push_world(broken, "org/name")
    with pytest.raises(ValueError, match="expected org/name"):
        push_world(made, "../name")


# ---- the card -----------------------------------------------------------------------------------------------------


def test_the_card_says_what_there_is_to_know() -> None:
    facts = CardFacts(
        data=DataFacts("recordings/toy", 12_345, 67, ("random-hold", "ppo")),
        training=TrainingFacts("neural-env world train", '{"window": 24}', 2_000, 8_100.0, "2 cores of a CPU"),
        evaluations=3,
        flops_per_frame=41_500_000,
    )
    world = tiny_world()
    card = card_markdown(facts, world)
    parameters = sum(parameter.numel() for parameter in world.parameters())
    for words in (
        "# A world of Counting", "recordings/toy, 12,345 steps in 67 episodes", "random-hold, ppo", "derived from the",
        "`neural-env world train`", '{"window": 24}', "2,000 optimizer steps in 2 h 15 min, on 2 cores of a CPU",
        f"{parameters:,} parameters", "41.5 MFLOP a frame (`steps`: 3)", "6 steps back, which is 0.60 seconds",
    ):  # fmt: skip
        assert words in card
    assert memory_seconds(world.config) == 6 * 2 / 20
    assert card.count("Not measured yet.") == 2


def test_what_is_measured_later_joins_the_card_and_nothing_else_changes(tmp_path: Path) -> None:
    facts = CardFacts(
        data=DataFacts("recordings/toy", 12_345, 67, ("random-hold",)),
        training=TrainingFacts("neural-env world train", "{}", 2_000, 8_100.0, "2 cores of a CPU"),
        evaluations=3,
        flops_per_frame=41_500_000,
    )
    folder = tmp_path / "world"
    save_world(folder, tiny_world(), SimulatorConfig(), tiny_starts(), card_markdown(facts, tiny_world()))
    before = {name: (folder / name).read_bytes() for name in LISTED}
    for _ in range(2):  # measured again, the new figures take the place of the old ones
        put_into_card(folder, "Quality", "| a | 1 |")
        put_into_card(folder, "Speed", "2,000 steps/s")
    card = (folder / "card.md").read_text()
    assert card.count("| a | 1 |") == card.count("2,000 steps/s") == 1
    assert "Not measured" not in card
    assert card.index("## Quality") < card.index("| a | 1 |") < card.index("## Speed") < card.index("2,000 steps/s")
    assert card.index("2,000 steps/s") < card.index("## Size")
    assert all((folder / name).read_bytes() == before[name] for name in LISTED if name != "card.md")
    assert load_world(folder).starts[0].reset_seed == tiny_starts()[0].reset_seed
    with pytest.raises(ValueError, match="no heading 'Taste'"):
        put_into_card(folder, "Taste", "sweet")
