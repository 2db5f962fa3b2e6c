"""Whatever happens to a training run, it ends in the bits of an undisturbed one, or says why not."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import importlib.machinery
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn

from toy_training import (
    CountingSource,
    ToyModule,
    ToyTask,
    WarmProcess,
    fit_toy,
    held_out_loss,
    is_running,
    toy_config,
    wait_for,
)
from world_model.training.average import Average
from world_model.training.checkpoint import (
    Checkpoints,
    InvalidCheckpoint,
    TrainingState,
    load_average,
    load_state,
    save_state,
)
from world_model.training.draws import Draws
from world_model.training.fit import HeldOut, fit
from world_model.training.interruption import stop_request
from world_model.training.learner import Diverged, Learner, LearnerConfig
from world_model.training.optimizer import make_optimizer
from world_model.training.processes import ALONE, Processes
from world_model.training.run_folder import ForeignRun


class _ActingTask(ToyTask):
    """Calls `act` in the forward pass of step number `at`, counted from 0 in this process."""

    def __init__(self, at: int, act: Any) -> None:
        super().__init__()
        self._left, self._act = at, act

    def losses(self, batch: Tensor, draws: Draws) -> dict[str, Tensor]:
        losses = super().losses(batch, draws)
        self._left -= 1
        return self._act(losses) or losses if self._left == -1 else losses


def _interrupt(out: Path, after: int, number: signal.Signals = signal.SIGINT, **changes: Any) -> Path:
    """Train until a signal arrives in step number `after`; the checkpoint that is left."""
    task = _ActingTask(after - 1, lambda losses: signal.raise_signal(number))
    with pytest.raises(KeyboardInterrupt, match=f"after step {after};"):
        fit_toy(out, task, **changes)
    file = out / "last" / f"step_{after:08d}.pt"
    assert file.exists()
    return file


def _newest(out: Path) -> TrainingState:
    file = Checkpoints(out, 1, 1, "smaller").newest()
    assert file is not None
    return load_state(file)


def _digest(value: Any) -> str:
    """Of everything in a nested value, tensors by their bits."""
    if isinstance(value, Tensor):
        return hashlib.sha256(value.numpy().tobytes() + str(value.dtype).encode()).hexdigest()
    if isinstance(value, dict):
        return _digest([[str(key), _digest(each)] for key, each in value.items()])
    if isinstance(value, (list, tuple)):
        return hashlib.sha256("".join(map(_digest, value)).encode()).hexdigest()
    return repr(value)


def _learned(state: TrainingState) -> dict[str, str]:
    """Everything in a state but the time that it took."""
    return {name: _digest(value) for name, value in vars(state).items() if name != "seconds"}


def _journal(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "journal.jsonl").read_text().splitlines()]


def _written(out: Path) -> dict[Path, int]:
    """Every file with the time at which it was last written."""
    return {file: file.stat().st_mtime_ns for file in out.rglob("*") if file.is_file() and file.name != ".lock"}


def _losses(out: Path) -> list[tuple[float, float, float]]:
    return [(line["step"], line["loss"], line["absolute"]) for line in _journal(out) if "loss" in line]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("loop") / "whole"
    fit_toy(out)
    return out


@pytest.fixture(scope="module")
def warm() -> Iterator[WarmProcess]:
    with WarmProcess() as process:
        yield process


# ---- resuming ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "number"), [(1, signal.SIGINT), (20, signal.SIGTERM), (39, signal.SIGINT)])
def test_a_resumed_run_ends_in_the_bits_of_an_uninterrupted_one(
    tmp_path: Path, whole: Path, steps: int, number: signal.Signals
) -> None:
    out = tmp_path / "run"
    _interrupt(out, steps, number)
    result = fit_toy(out)
    assert _learned(_newest(out)) == _learned(_newest(whole))
    assert _losses(out) == _losses(whole)
    assert [best.file.read_bytes() for best in result.best] == [
        (whole / "best" / best.file.name).read_bytes() for best in result.best
    ]


@pytest.mark.parametrize("dropped", [None, *(field.name for field in dataclasses.fields(TrainingState))])
def test_a_resume_needs_every_item_of_a_checkpoint(tmp_path: Path, whole: Path, dropped: str | None) -> None:
    """Each item in turn is what it is in a new run; a test of resuming that then passes looks at too little."""
    out = tmp_path / "run"
    file = _interrupt(out, 20)
    saved = dataclasses.replace(load_state(file), seconds=1000.0)
    if dropped is not None:
        fresh = Learner(ToyTask(), toy_config(), ALONE).state([])
        saved = dataclasses.replace(saved, **{dropped: getattr(fresh, dropped)})
    save_state(file, saved)
    fit_toy(out)
    end = _newest(out)
    is_same = _learned(end) == _learned(_newest(whole)) and end.seconds >= 1000
    assert is_same == (dropped is None)


def test_20_kills_at_random_moments_leave_loadable_checkpoints_and_the_same_end(
    tmp_path: Path, warm: WarmProcess
) -> None:
    steps, rng = 1500, random.Random(0)
    fit_toy(tmp_path / "whole", steps=steps, evaluate_every=steps)
    out = tmp_path / "killed"
    checkpoints, kills = Checkpoints(out, 2, 2, "smaller"), 0
    while kills < 20:
        before = checkpoints.newest()
        process = warm.started(out, steps=steps, evaluate_every=steps, checkpoint_minutes=0.0)
        while checkpoints.newest() == before and is_running(process):
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.03))
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        wait_for(process)
        assert 0 < _newest(out).step <= steps
        if _newest(out).step < steps:
            kills += 1
        else:  # This test was held up until the run was whole: once more from nothing.
            shutil.rmtree(out)
    fit_toy(out, steps=steps, evaluate_every=steps)
    assert _learned(_newest(out)) == _learned(_newest(tmp_path / "whole"))
    assert _losses(out) == _losses(tmp_path / "whole")
    assert not list(out.rglob("*.tmp*"))


def test_a_finished_run_is_recalled_and_not_trained_again(tmp_path: Path) -> None:
    first = fit_toy(tmp_path / "run")
    before = _written(tmp_path / "run")
    task = _ActingTask(0, lambda losses: pytest.fail("trained again"))
    again = fit_toy(tmp_path / "run", task)
    assert _written(tmp_path / "run") == before
    assert (again.step, again.seconds, again.last, again.best) == (first.step, first.seconds, first.last, first.best)
    assert _digest(task.module.state_dict()) == _digest(load_state(first.last).module)
    assert _digest(again.average.state) == _digest(first.average.state)


def test_training_neither_reads_nor_changes_the_global_generator(tmp_path: Path, whole: Path) -> None:
    torch.manual_seed(12345)
    before = torch.get_rng_state()
    fit_toy(tmp_path / "run")
    assert torch.equal(torch.get_rng_state(), before)
    assert _learned(_newest(tmp_path / "run")) == _learned(_newest(whole))


def test_the_second_signal_acts_as_if_nobody_listened() -> None:
    """A step that hangs can still be ended."""

    def signal_twice() -> None:
        with stop_request() as request:
            signal.raise_signal(signal.SIGINT)
            assert request.made
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        signal_twice()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# ---- who may go on in a folder -------------------------------------------------------------------------------------


def test_a_folder_of_another_run_is_refused_and_the_difference_named(tmp_path: Path) -> None:
    out = tmp_path / "run"
    _interrupt(out, 3)
    with pytest.raises(ForeignRun, match=r"another clip \(1\.0, now 2\.0\), learning_rate \(0\.01, now 0\.02\);"):
        fit_toy(out, learning_rate=0.02, clip=2.0)
    with pytest.raises(ForeignRun, match=r"another about \({}, now none\), about\.width \(none, now 8\), metric"):
        fit(ToyTask(), CountingSource(), toy_config(), out, about={"width": 8})
    with pytest.raises(ForeignRun, match=r"about\.width \(none, now null\), metric"):
        fit(ToyTask(), CountingSource(), toy_config(), out, about={"width": None})
    fit_toy(out, checkpoint_minutes=1.0, keep_last=3, journal_every=2)


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ForeignRun, match="another process is training"):
            fit_toy(tmp_path)


def test_a_checkpoint_of_another_module_is_refused(tmp_path: Path) -> None:
    _interrupt(tmp_path / "run", 3)
    task = ToyTask()
    task.module.layers = nn.Sequential(nn.Linear(8, 4), nn.LayerNorm(4), nn.Linear(4, 1))
    with pytest.raises(InvalidCheckpoint, match=r"step_00000003\.pt holds another module"):
        fit_toy(tmp_path / "run", task)


@pytest.mark.parametrize("changes", [{"batch": 0}, {"accumulate": 3}, {"minutes": 0.0}, {"keep_last": 0}])
def test_impossible_settings_are_refused_and_leave_nothing_behind(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{'batch' if 'accumulate' in changes else next(iter(changes))} is"):
        fit_toy(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


# ---- damage --------------------------------------------------------------------------------------------------------


def _refusals(file: Path, contents: list[bytes]) -> int:
    refused = 0
    for content in contents:
        file.write_bytes(content)
        try:
            load_state(file)
        except InvalidCheckpoint as fault:
            refused += str(file) in str(fault) and "expected" in str(fault)
    return refused


def test_truncated_checkpoints_are_refused(tmp_path: Path, whole: Path) -> None:
    content = (whole / "last" / "step_00000040.pt").read_bytes()
    lengths = [0, 1, 20, 99, *(len(content) * part // 200 for part in range(1, 200)), len(content) - 1]
    damaged = [*(content[:length] for length in lengths), content + b"\0"]
    assert _refusals(tmp_path / "damaged.pt", damaged) == len(damaged)
    with pytest.raises(FileNotFoundError):
        load_state(tmp_path / "missing.pt")


def test_checkpoints_with_a_flipped_bit_are_refused(tmp_path: Path, whole: Path) -> None:
    content = (whole / "last" / "step_00000040.pt").read_bytes()
    rng = random.Random(0)
    places = [*range(0, 100, 2), *(rng.randrange(len(content)) for _ in range(300))]
    damaged = [
        content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :] for place in places
    ]
    assert _refusals(tmp_path / "damaged.pt", damaged) == len(damaged)


def test_a_newer_format_and_a_foreign_content_are_refused_by_name(tmp_path: Path, whole: Path) -> None:
    file = tmp_path / "state.pt"
    content = (whole / "last" / "step_00000040.pt").read_bytes()
    file.write_bytes(content.replace(b"checkpoint 1", b"checkpoint 2", 1))
    with pytest.raises(InvalidCheckpoint, match="has checkpoint format 2; expected 1"):
        load_state(file)
    best = next((whole / "best").iterdir())
    with pytest.raises(InvalidCheckpoint, match="holds average, step, value; expected average, best, module"):
        load_state(best)


class _Hostile:
    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._marker,)


def test_a_hostile_checkpoint_is_refused_and_not_executed(tmp_path: Path) -> None:
    """Bare, and behind a line that vouches for it."""
    marker = tmp_path / "executed"
    state = Learner(ToyTask(), toy_config(), ALONE).state([])
    save_state(tmp_path / "hostile.pt", dataclasses.replace(state, optimizer={"lr": _Hostile(marker)}))
    content = (tmp_path / "hostile.pt").read_bytes()
    for data in (content, content.partition(b"\n")[2]):
        (tmp_path / "hostile.pt").write_bytes(data)
        with pytest.raises(InvalidCheckpoint):
            load_state(tmp_path / "hostile.pt")
    assert not marker.exists()


def test_a_full_disk_is_reported_and_the_old_checkpoint_is_intact(tmp_path: Path, warm: WarmProcess) -> None:
    """RLIMIT_FSIZE stands for a full disk: writing past it fails with EFBIG."""
    out = tmp_path / "run"
    before = _interrupt(out, 5, evaluate_every=20)
    content = before.read_bytes()
    wait_for(warm.started(out, evaluate_every=20, largest_file=len(content) - 100))
    assert "File too large" in (tmp_path / "run.error").read_text()
    assert before.read_bytes() == content
    assert not list(out.rglob("*.tmp*"))
    assert fit_toy(out, evaluate_every=20).step == 40


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_ends_the_run_before_it_reaches_the_weights(tmp_path: Path, value: float) -> None:
    out = tmp_path / "run"
    task = _ActingTask(10, lambda losses: {**losses, "loss": losses["loss"] * value})
    with pytest.raises(Diverged, match=f"step 10: loss is {value}, gradient_norm is nan; no checkpoint"):
        fit_toy(out, task, checkpoint_minutes=0.0)
    assert _newest(out).step == 10
    assert all(each.isfinite().all() for each in task.module.state_dict().values())


def test_an_error_of_the_source_surfaces(tmp_path: Path) -> None:
    class Broken(CountingSource):
        def batch(self, position: int, size: int) -> Tensor:
            if position == 80:
                raise OSError("no such shard")
            return super().batch(position, size)

    with pytest.raises(OSError, match="no such shard"):
        fit(ToyTask(), Broken(), toy_config(), tmp_path / "run")


# ---- many rows, many processes -------------------------------------------------------------------------------------


def test_two_processes_learn_what_one_learns(tmp_path: Path, warm: WarmProcess, meeting_place: dist.TCPStore) -> None:
    """The same rows and the same noise, added up in another order."""
    fit_toy(tmp_path / "one", steps=20)
    ranks = _two_processes(warm, meeting_place, tmp_path / "two", steps=20, accumulate=2)
    for process in ranks:
        wait_for(process)
    assert not (tmp_path / "two.error").exists(), (tmp_path / "two.error").read_text()
    assert [(tmp_path / f"two.best{rank}").read_text() for rank in range(2)] == ["[20, 10]", "[20, 10]"]
    _assert_close(tmp_path / "two", tmp_path / "one")


def test_two_processes_stop_together_when_one_gets_a_signal(
    tmp_path: Path, warm: WarmProcess, meeting_place: dist.TCPStore
) -> None:
    """One that went on alone would wait for the other for ever."""
    out = tmp_path / "two"
    ranks = _two_processes(warm, meeting_place, out, steps=10**6, checkpoint_minutes=0.0)
    while not list(out.glob("last/*.pt")) and is_running(ranks[0]):
        time.sleep(0.005)
    os.kill(ranks[1], signal.SIGTERM)
    for process in ranks:
        wait_for(process)
    step = _newest(out).step
    assert (tmp_path / "two.error").read_text().startswith(f"KeyboardInterrupt: stopped after step {step};")


@pytest.fixture
def meeting_place() -> dist.TCPStore:
    """The store that torchrun would hold."""
    return dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def _as_torchrun(store: dist.TCPStore) -> dict[str, str]:
    return {
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
    }


def _two_processes(warm: WarmProcess, store: dist.TCPStore, out: Path, **settings: Any) -> list[int]:
    """As torchrun starts them."""
    shared = _as_torchrun(store)
    return [warm.started(out, {**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}, **settings) for rank in range(2)]


def test_what_two_processes_found_is_the_larger_of_both_in_both(meeting_place: dist.TCPStore) -> None:
    code = "print(both.largest(np.array([both.rank, -both.rank], 'f4')).tolist())"
    assert _said_by_two(meeting_place, code) == ["[1.0, 0.0]"] * 2


def test_two_processes_share_whatever_a_module_holds(meeting_place: dist.TCPStore) -> None:
    """A tokenizer's still picture is grey levels of 16 bits, and which glyphs are seen where is true or false."""
    code = (
        "module = torch.nn.Conv2d(2, 2, 3).to(memory_format=torch.channels_last)\n"
        "for name, kind in (('levels', torch.int16), ('seen', torch.bool)):\n"
        "    module.register_buffer(name, torch.full((2, 1), both.rank).to(kind))\n"
        "module.register_buffer('count', torch.tensor(both.rank))\n"
        "torch.nn.init.constant_(module.weight, both.rank + 0.5)\n"
        "both.share(module)\n"
        "print({name: float(value.float().mean()) for name, value in module.state_dict().items() if name != 'bias'})"
    )
    firsts = str({"weight": 0.5, "levels": 0.0, "seen": 0.0, "count": 0.0})
    assert _said_by_two(meeting_place, code) == [firsts] * 2


def _said_by_two(store: dist.TCPStore, code: str) -> list[str]:
    """What each of two processes, `both`, prints."""
    head = "import numpy as np, torch; from world_model.training.processes import joined_processes"
    inside = "".join(f"    {line}\n" for line in code.splitlines())
    script = f"{head}\nwith joined_processes('cpu') as both:\n{inside}"
    shared = {**os.environ, **_as_torchrun(store)}
    each = [
        subprocess.Popen(
            [sys.executable, "-c", script], env={**shared, "RANK": rank}, stdout=subprocess.PIPE, text=True
        )
        for rank in "01"
    ]
    return [process.communicate(timeout=120)[0].strip() for process in each]


def test_micro_batches_learn_what_whole_batches_learn(tmp_path: Path) -> None:
    fit_toy(tmp_path / "whole", steps=20)
    fit_toy(tmp_path / "split", steps=20, accumulate=4)
    _assert_close(tmp_path / "split", tmp_path / "whole")


def _assert_close(out: Path, expected: Path) -> None:
    assert len(_losses(out)) == 20
    assert torch.allclose(torch.tensor(_losses(out)), torch.tensor(_losses(expected)), rtol=0, atol=1e-5)
    norms, expected_norms = (
        torch.tensor([line["gradient_norm"] for line in _journal(each) if "loss" in line]) for each in (out, expected)
    )
    assert torch.allclose(norms, expected_norms, rtol=1e-5)
    for name, value in _newest(expected).average.items():
        if name != "passes":
            assert torch.allclose(_newest(out).average[name], value, rtol=0, atol=1e-5), name


def test_a_batch_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="batch is 8; expected a multiple of 3: 3 processes with 1 micro-batches each"):
        Learner(ToyTask(), toy_config(), Processes(0, 3, torch.device("cpu")))


def test_the_noise_of_a_row_does_not_depend_on_how_rows_are_split() -> None:
    def drawn(first_row: int, rows: int, step: int = 3, seed: int = 1) -> Tensor:
        draws = Draws(seed, step, first_row, rows, 6)
        return torch.cat([draws.normal(2), draws.uniform(2), draws.integers(9, 2), draws.normal()[:, None]], dim=1)

    assert torch.equal(torch.cat([drawn(0, 2), drawn(2, 3), drawn(5, 1)]), drawn(0, 6))
    others = [drawn(0, 6), drawn(0, 6, step=4), drawn(0, 6, seed=2), drawn(0, 6, step=1, seed=3)]
    assert len({_digest(each) for each in others}) == 4
    assert drawn(0, 6).unique().numel() > 30
    with pytest.raises(ValueError, match=r"rows 5 \.\. 6 are not among 6"):
        drawn(5, 2)


# ---- schedule, average, optimizer ----------------------------------------------------------------------------------


_OTHER_SETTINGS: dict[str, Any] = {
    **{"seed": 1, "batch": 4, "accumulate": 2, "steps": 30, "minutes": 1e-6, "learning_rate": 0.02, "warmup": 9},
    **{"floor": 0.5, "weight_decay": 0.5, "betas": (0.9, 0.9), "clip": 0.5, "average_decay": 0.1},
    "precision": "bfloat16",
}


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(LearnerConfig)])
def test_every_setting_changes_what_is_learned(tmp_path: Path, whole: Path, name: str) -> None:
    """One that does not reaches nobody."""
    fit_toy(tmp_path / "run", **{name: _OTHER_SETTINGS[name]})
    assert _newest(tmp_path / "run").step == {"steps": 30, "minutes": 1}.get(name, 40)
    assert _digest(_newest(tmp_path / "run").average) != _digest(_newest(whole).average)


def test_a_wall_clock_budget_ends_the_run_and_its_decay(tmp_path: Path) -> None:
    result = fit_toy(tmp_path / "run", steps=10**9, minutes=0.5 / 60, floor=0.1, evaluate_every=10**6)
    assert 0.5 <= result.seconds < 5
    rates = [line["learning_rate"] for line in _journal(tmp_path / "run") if "learning_rate" in line]
    assert max(rates[:5]) < 0.0101
    assert rates[-1] < 0.0015
    again = fit_toy(tmp_path / "run", steps=10**9, minutes=0.5 / 60, floor=0.1, evaluate_every=10**6)
    assert again.step == result.step


def test_the_average_is_what_is_evaluated_and_the_module_is_then_as_before(tmp_path: Path) -> None:
    seen, modes = [], []

    def evaluate(module: nn.Module) -> dict[str, float]:
        seen.append(_digest(module.state_dict()))
        modes.append((module.training, torch.is_grad_enabled()))
        return held_out_loss(module)

    def report(module: nn.Module, step: int) -> None:
        reported.append((_digest(module.state_dict()), step))

    task, reported = ToyTask(), []
    held_out = HeldOut(evaluate, "loss")
    result = fit(task, CountingSource(), toy_config(), tmp_path / "run", held_out=held_out, report=report)
    assert len(set(seen)) == 4
    assert set(modes) == {(False, False)}
    assert reported == [(seen[-1], 40)]
    assert task.module.training
    assert _digest(task.module.state_dict()) == _digest(load_state(result.last).module)
    assert seen[-1] == _digest(result.average.state) == _digest(load_average(result.last))
    assert seen[-1] != _digest(task.module.state_dict())
    result.average.copy_to(task.module)
    assert seen[-1] == _digest(task.module.state_dict())


def test_the_average_follows_its_equation() -> None:
    module = ToyModule()
    average = Average(module, decay=0.5)
    expected = module.layers[0].weight.detach().clone()
    for step, decay in enumerate([0.1, 2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17, 0.5, 0.5]):
        with torch.no_grad():
            module.layers[0].weight += 1
            module.passes += 1
        average.update(module, step)
        expected = decay * expected + (1 - decay) * module.layers[0].weight.detach()
    assert torch.allclose(average.state["layers.0.weight"], expected)
    assert average.state["passes"] == 10
    with pytest.raises(ValueError, match="the states differ in passes"):
        average.restore({name: value for name, value in average.state.items() if name != "passes"})
    with pytest.raises(ValueError, match=r"passes has shape \[1\]; expected \[\]"):
        average.restore({**average.state, "passes": torch.zeros(1)})


def test_weight_decay_spares_biases_norms_and_embeddings() -> None:
    class Parts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 3)
            self.convolution = nn.Conv2d(2, 3, 3)
            self.actions = nn.Embedding(4, 2)
            self.norm = nn.LayerNorm((2, 3))
            self.position_embedding = nn.Parameter(torch.zeros(4, 2))
            self.distance_bias = nn.Parameter(torch.zeros(4, 4))
            self.query = nn.Parameter(torch.zeros(4, 2))
            self.frozen = nn.Linear(2, 2).requires_grad_(False)

    parts = Parts()
    names = {parameter: name for name, parameter in parts.named_parameters()}
    groups = make_optimizer(parts, weight_decay=0.3, betas=(0.9, 0.99)).param_groups
    decayed, spared = ([names[parameter] for parameter in group["params"]] for group in groups)
    assert decayed == ["query", "linear.weight", "convolution.weight"]
    assert set(spared) == {
        *("linear.bias", "convolution.bias", "actions.weight", "norm.weight", "norm.bias"),
        *("position_embedding", "distance_bias"),
    }
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]


def test_bfloat16_computes_in_bfloat16_and_keeps_float32(tmp_path: Path) -> None:
    dtypes = []

    class Watching(ToyTask):
        def losses(self, batch: Tensor, draws: Draws) -> dict[str, Tensor]:
            dtypes.append(self.module(batch).dtype)
            return super().losses(batch, draws)

    fit_toy(tmp_path / "run", Watching(), steps=5, precision="bfloat16")
    assert set(dtypes) == {torch.bfloat16}
    assert _newest(tmp_path / "run").module["layers.0.weight"].dtype == torch.float32


# ---- what is kept --------------------------------------------------------------------------------------------------


def test_the_last_n_and_the_best_k_are_kept(tmp_path: Path) -> None:
    values = iter([float("nan"), 3.0, 1.0, 2.0, 5.0, 4.0, 6.0, 7.0])
    held_out = HeldOut(lambda module: {"score": next(values)}, "score", "larger")
    config = toy_config(evaluate_every=5, keep_last=3, keep_best=2)
    result = fit(ToyTask(), CountingSource(), config, tmp_path / "run", held_out=held_out)
    assert [(best.step, best.value) for best in result.best] == [(40, 7.0), (35, 6.0)]
    assert sorted(file.name for file in (tmp_path / "run" / "last").iterdir()) == [
        f"step_{step:08d}.pt" for step in (30, 35, 40)
    ]
    assert {best.file for best in result.best} == set((tmp_path / "run" / "best").iterdir())
    assert _digest(load_average(result.best[0].file)) == _digest(load_state(result.last).average)


def test_the_best_may_lie_far_back_and_ties_go_to_the_earlier(tmp_path: Path) -> None:
    values = iter([3.0, 1.0, 2.0, 1.0])
    held_out = HeldOut(lambda module: {"loss": next(values)}, "loss")
    result = fit(ToyTask(), CountingSource(), toy_config(keep_best=2), tmp_path / "run", held_out=held_out)
    assert [best.step for best in result.best] == [20, 40]


def test_no_checkpoint_names_a_best_average_that_is_gone(tmp_path: Path) -> None:
    """A run killed between a better average and the next checkpoint goes on from the one before."""
    checkpoints = Checkpoints(tmp_path, keep_last=1, keep_best=1, better="smaller")
    learner = Learner(ToyTask(), toy_config(), ALONE)
    checkpoints.offer(1, 5.0, learner.average.state)
    checkpoints.save(learner.state(checkpoints.table))
    (first,) = checkpoints.best()
    checkpoints.offer(2, 4.0, learner.average.state)
    assert first.file.exists()
    checkpoints.save(learner.state(checkpoints.table))
    assert not first.file.exists()
    (second,) = checkpoints.best()
    second.file.unlink()  # someone has tidied up
    checkpoints.resume(_newest(tmp_path))
    assert checkpoints.best() == ()


def test_leftovers_of_a_killed_run_are_swept(tmp_path: Path) -> None:
    leftover = tmp_path / "run" / "last" / "step_00000007.pt.tmp4711"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half a check")
    fit_toy(tmp_path / "run")
    assert not leftover.exists()


def test_an_evaluation_without_the_metric_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the evaluation gives loss; expected ball among them"):
        fit(ToyTask(), CountingSource(), toy_config(), tmp_path / "run", held_out=HeldOut(held_out_loss, "ball"))


def test_journal_lines_after_the_resumed_step_are_cut(tmp_path: Path) -> None:
    """A killed run has written lines of steps that the resumed one takes again, and perhaps half a line."""
    out = tmp_path / "run"
    _interrupt(out, 12)
    kept = (out / "journal.jsonl").read_text()
    with (out / "journal.jsonl").open("a") as journal:
        journal.write('{"step": 13, "loss": 99.0}\n{"step": 14, "loss": 99.0}\n{"step": 1')
    fit_toy(out)
    assert (out / "journal.jsonl").read_text().startswith(kept)
    steps = [line["step"] for line in _journal(out)]
    assert steps == sorted([*range(1, 41), 10, 20, 30, 40])
    assert all(line["frames_per_second"] > 0 for line in _journal(out) if "loss" in line)


def test_the_journal_is_mirrored_to_wandb_if_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="pip install wandb"):
        fit_toy(tmp_path / "without", wandb="pong")
    calls: list[Any] = []

    class Run:
        def log(self, figures: dict[str, float], step: int) -> None:
            calls.append((step, figures["loss"] if "loss" in figures else figures["held_out/loss"]))

        def finish(self) -> None:
            calls.append("finish")

    module = ModuleType("wandb")
    module.__spec__ = importlib.machinery.ModuleSpec("wandb", None)
    module.init = lambda **settings: calls.append(settings["id"]) or Run()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", module)
    _interrupt(tmp_path / "run", 2, wandb="pong", steps=3)
    fit_toy(tmp_path / "run", wandb="pong", steps=3)
    assert [call[0] for call in calls if isinstance(call, tuple)] == [1, 2, 3, 3]
    assert calls[0] == calls[4] != "finish"
    assert calls[3] == calls[-1] == "finish"
