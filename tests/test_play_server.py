"""Who may play on the page, what a player may send, and that nobody's doing touches another."""

from __future__ import annotations

import json
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from neural_env.play import inbox, web_player
from neural_env.play.doors import MIN_TOKEN, Doors
from neural_env.play.film_shelf import MAX_FILMS, FilmShelf
from neural_env.play.messages import BadMessage, parsed
from neural_env.play.playground import InvalidPlay, Playground
from neural_env.play.server import MAX_MESSAGE_BYTES, MAX_PLAYERS, TRY_AGAIN_LATER
from play_client import Client, running_server, spoken, wait_for_players
from toy_game import action_of
from toy_play import MIDDLE, PLAYED, PLAYERS, toy_playground


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Playground:
    return toy_playground(tmp_path_factory.mktemp("play") / "world")


@pytest.fixture(scope="module")
def doors(ground: Playground) -> Iterator[Doors]:
    with running_server(ground, PLAYERS) as doors:
        yield doors


@contextmanager
def playing(doors: Doors, **options: Any) -> Iterator[Client]:
    with closing(Client(doors, **options)) as client:
        yield client


# ---- the page and its game ----------------------------------------------------------------------------------------


def test_a_page_is_told_what_there_is_and_then_sees_every_turn(ground: Playground, doors: Doors) -> None:
    with playing(doors) as client:
        first = client.turn()
        (greeting,) = client.told
        assert greeting["actions"] == list(PLAYED.action_meanings)
        assert greeting["views"] == ["dream", "real", "both"]
        assert greeting["players"] == ["human", "follower"]
        assert greeting["starts"] == ["beginning", "middle"] * 2
        assert first.picture.shape == (*PLAYED.frame_size, 3)
        later = client.until(lambda about: about["step"] > 3)
        assert not np.array_equal(later.picture, first.picture)
        assert later.about["milliseconds"] > 0


def test_held_keys_and_buttons_are_seen_in_the_game(doors: Doors) -> None:
    """Until they are let go; a button goes before keys."""
    with playing(doors) as client:
        client.say("show", view="real")
        for message, action in (
            ({"name": "keys", "held": ["d"]}, 2),
            ({"name": "keys", "held": ["a", "x"]}, 0),
            ({"name": "hold", "action": 2}, 2),
            ({"name": "hold", "action": None}, 0),
            ({"name": "keys", "held": []}, 1),
        ):
            client.say(**message)  # type: ignore[arg-type]
            turn = client.until(lambda about, action=action: set(about["executed"]) == {action})
            assert turn.about["action"] == action
            assert action_of(turn.picture) == action


def test_pause_single_steps_and_speed(doors: Doors) -> None:
    with playing(doors) as client:
        client.say("pause", paused=True)
        still = client.until(lambda about: about["paused"]).about["step"]
        client.say("single_step")
        client.say("single_step")
        assert client.until(lambda about: about["step"] > still + 1).about["step"] == still + 2
        client.say("speed", factor=1e9)
        assert client.until(lambda about: about["speed"] != 1).about["speed"] == 4
        client.say("pause", paused=False)
        client.until(lambda about: about["step"] > still + 4)


def test_both_sides_a_chosen_start_and_an_agent(ground: Playground, doors: Doors) -> None:
    assert ground.starts is not None
    with playing(doors) as client:
        client.say("pause", paused=True)
        client.until(lambda about: about["paused"])
        client.say("show", view="both")
        client.say("begin", start=MIDDLE, seed=3)
        begun = client.until(lambda about: about["view"] == "both" and about["start"] == MIDDLE)
        height, width = PLAYED.frame_size
        assert begun.picture.shape == (height, 2 * width, 3)
        np.testing.assert_array_equal(begun.picture[:, width:], ground.starts[MIDDLE].frames[-1])
        client.say("play_as", player="follower")
        client.say("sample", values={"temperature": 99, "steps": 2})
        client.say("single_step")
        after = client.until(lambda about: about["step"] > 0).about
        assert after["player"] == "follower"
        assert after["sampling"] == {"steps": 2, "temperature": 2.0, "guidance": 1.0, "context_noise": 0.0}


def test_what_is_said_while_a_picture_is_made_is_told_with_the_next(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = web_player.packed

    def slowly_packed(*arguments: Any) -> bytes:
        made = packed(*arguments)
        time.sleep(0.3)
        return made

    monkeypatch.setattr(web_player, "packed", slowly_packed)
    with playing(doors) as client:
        client.turn()
        time.sleep(0.15)  # the next is packed by now, and not yet sent
        client.say("pause", paused=True)
        client.until(lambda about: about["paused"])


def test_a_film_can_be_fetched_with_its_log(doors: Doors) -> None:
    with playing(doors) as client:
        client.say("film", suffix=".gif")
        begun = client.until(lambda about: about["filming"]).about["step"]
        client.until(lambda about: about["step"] > begun + 3)
        client.say("film", suffix=None)
        film = client.hear("film")
        for name, beginning in ((film["video"], b"GIF89a"), (film["log"], b"{")):
            status, headers, body = _get(doors, f"/films/{name}")
            assert "200" in status
            assert body.startswith(beginning)
            assert "attachment" in headers["content-disposition"]


def test_only_the_newest_films_are_kept() -> None:
    with closing(FilmShelf()) as shelf:
        paths = [shelf.new_path(".mp4") for _ in range(MAX_FILMS + 1)]
        for path in paths:
            path.write_bytes(b"film")
            path.with_suffix(".json").write_bytes(b"{}")
            shelf.put(path)
        assert shelf.find(paths[0].name) is None
        assert not paths[0].exists()
        assert not paths[0].with_suffix(".json").exists()
        assert shelf.find(paths[1].name) == paths[1]
        assert shelf.find("../../etc/passwd") is None
    assert not paths[1].exists()


# ---- G1: where it listens -----------------------------------------------------------------------------------------


def test_by_default_only_this_machine_can_reach_it(doors: Doors) -> None:
    addresses = {each.getsockname()[0] for each in doors.sockets}
    assert "127.0.0.1" in addresses
    assert addresses <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org"])
@pytest.mark.parametrize(("expose", "token"), [(None, None), ("box", None), (None, "x" * MIN_TOKEN)])
def test_other_machines_come_in_only_by_name_and_token(host: str, expose: str | None, token: str | None) -> None:
    with pytest.raises(InvalidPlay, match="open to other machines"):
        Doors.opened(host, 0, expose, token)


@pytest.mark.parametrize("token", ["", "short", "x" * (MIN_TOKEN - 1), "with spaces in it!", "x" * 200])
def test_a_token_that_can_be_guessed_or_broken_is_refused(token: str) -> None:
    with pytest.raises(InvalidPlay, match="the token has to be"):
        Doors.opened("127.0.0.1", 0, None, token)


def test_exposed_it_is_known_by_the_name_that_was_given() -> None:
    with closing(Doors.opened("0.0.0.0", 0, "box.local", "x" * MIN_TOKEN)) as open_doors:
        assert f"box.local:{open_doors.port}" in open_doors.hosts
        assert open_doors.token == "x" * MIN_TOKEN


def test_every_run_has_a_token_of_its_own(doors: Doors) -> None:
    with closing(Doors.opened("127.0.0.1", 0)) as others:
        assert others.token != doors.token
        assert len(others.token) >= MIN_TOKEN


# ---- G2: Host x Origin x token ------------------------------------------------------------------------------------


def _right(doors: Doors) -> dict[str, list[str]]:
    return {
        "Host": [f"127.0.0.1:{doors.port}"],
        "Origin": [f"http://127.0.0.1:{doors.port}"],
        "Cookie": [f"{doors.cookie}={doors.token}"],
    }


def _lines(path: str, headers: dict[str, list[str]]) -> list[str]:
    return [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, values in headers.items() for value in values)]


def _knock(doors: Doors, headers: dict[str, list[str]]) -> str:
    """The status with which a WebSocket that comes with these headers is answered."""
    upgrade = {
        "Upgrade": ["websocket"],
        "Connection": ["Upgrade"],
        "Sec-WebSocket-Key": ["dGhlIHNhbXBsZSBub25jZQ=="],
        "Sec-WebSocket-Version": ["13"],
    }
    return spoken(doors, *_lines("/play", headers | upgrade))[0].split()[1]


def _get(doors: Doors, path: str, **changes: list[str]) -> tuple[str, dict[str, str], bytes]:
    headers = {name: values for name, values in _right(doors).items() if name != "Origin"}
    return spoken(doors, *_lines(path, headers | changes), "Connection: close")


_ORIGINS = {
    "none": [],
    "evil": ["http://evil.example"],
    "null": ["null"],
    "wrong port": ["http://127.0.0.1:1"],
    "no port": ["http://127.0.0.1"],
    "wrong scheme": ["https://127.0.0.1:{port}"],
    "look-alike": ["http://127.0.0.1.evil.example:{port}"],
    "the other name": ["http://localhost:{port}"],
    "twice": ["http://127.0.0.1:{port}", "http://evil.example"],
    "right": ["http://127.0.0.1:{port}"],
}
_HOSTS = {
    "none": [],
    "evil": ["evil.example:{port}"],
    "look-alike": ["localhost.evil.example:{port}"],
    "wrong port": ["127.0.0.1:1"],
    "twice": ["127.0.0.1:{port}", "evil.example:{port}"],
    "right": ["127.0.0.1:{port}"],
}


@pytest.mark.parametrize("origin", _ORIGINS)
@pytest.mark.parametrize("host", _HOSTS)
def test_only_the_right_origin_at_the_right_host_may_play(doors: Doors, origin: str, host: str) -> None:
    headers = _right(doors) | {
        "Host": [each.format(port=doors.port) for each in _HOSTS[host]],
        "Origin": [each.format(port=doors.port) for each in _ORIGINS[origin]],
    }
    status = _knock(doors, headers)
    assert (status == "101") == (origin == host == "right")
    assert status in ("101", "400", "403")


@pytest.mark.parametrize(
    "cookie", [[], ["{name}="], ["{name}=wrong"], ["other={token}"], ["{name}={token}x"], [";;=,"]]
)
def test_without_the_token_nobody_plays_or_sees_anything(doors: Doors, cookie: list[str]) -> None:
    cookies = [each.format(name=doors.cookie, token=doors.token) for each in cookie]
    assert _knock(doors, _right(doors) | {"Cookie": cookies}) == "403"
    for path in ("/", "/page/main.js", "/starts.png", "/films/x", "/play", "/?token=wrong"):
        assert " 403 " in _get(doors, path, Cookie=cookies)[0], path


def test_the_address_that_was_printed_opens_the_page_and_everything_in_it(doors: Doors) -> None:
    status, headers, body = _get(doors, "/?" + doors.address.partition("?")[2], Cookie=[])
    assert " 200 " in status
    cookie = headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    for path in ("/page/style.css", "/page/main.js", "/page/stage.js", "/page/hands.js", "/page/connection.js"):
        assert path.encode() in body or path.endswith(("stage.js", "hands.js", "connection.js"))
        assert " 200 " in _get(doors, path)[0]
    assert _get(doors, "/starts.png")[2].startswith(b"\x89PNG")


@pytest.mark.parametrize("path", ["/", "/health", "/nothing", "/films/x"])
def test_every_answer_keeps_other_sites_out(doors: Doors, path: str) -> None:
    _, headers, _ = _get(doors, path)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert not [name for name in headers if name.startswith("access-control")]
    assert "server" not in headers


def test_a_foreign_page_cannot_read_anything_either(doors: Doors) -> None:
    for changes in ({"Host": ["evil.example"]}, {"Origin": ["http://evil.example"]}):
        for path in ("/", "/health"):
            assert " 403 " in _get(doors, path, **changes)[0]


def test_the_page_loads_nothing_from_elsewhere() -> None:
    """It works offline, and tells nobody."""
    from neural_env.play.server import _PAGE

    for file in _PAGE.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text, file
        assert "https://" not in text, file
        assert "url(//" not in text, file


@pytest.mark.parametrize(
    "path", ["/films/../server.py", "/films/..%2fserver.py", "/page/../server.py", "/page/%2e%2e/server.py"]
)
def test_no_path_leads_out_of_what_is_served(doors: Doors, path: str) -> None:
    assert " 404 " in _get(doors, path)[0]


# ---- G3: messages -------------------------------------------------------------------------------------------------


def test_a_message_that_is_too_long_ends_the_connection(doors: Doors) -> None:
    with playing(doors) as client:
        client.turn()
        client.socket.send("x" * (MAX_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosed) as closed:
            client.until(lambda about: False)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[]", "expected an object"),
        ("3", "expected an object"),
        ('{"name": "nothing"}', "name"),
        ('{"name": ["keys"]}', "name"),
        ('{"held": []}', "name"),
        ('{"name": "keys"}', "missing fields"),
        ('{"name": "keys", "held": "w"}', "held"),
        ('{"name": "keys", "held": [1]}', "held"),
        ('{"name": "keys", "held": [], "more": 1}', "unknown fields"),
        ('{"name": "keys", "held": ["1","2","3","4","5","6","7","8","9"]}', "at most 8"),
        ('{"name": "hold", "action": 1.5}', "action"),
        ('{"name": "begin", "start": 1.5, "seed": null}', "start"),
        ('{"name": "begin", "start": true, "seed": null}', "start"),
        ('{"name": "show", "view": "everything"}', "view"),
        ('{"name": "sample", "values": {"temperature": NaN}}', "NaN"),
        ('{"name": "sample", "values": {"temperature": 1e999}}', "finite"),
        ('{"name": "sample", "values": {"reward": 1}}', "reward"),
        ('{"name": "speed", "factor": "fast"}', "factor"),
        ('{"name": "pause", "paused": 1}', "paused"),
        ('{"name": "film", "suffix": ".exe"}', "suffix"),
        ('{"name": "pause", "paused": true, "paused": false}', "twice"),
        ('{"name": ' + "[" * 500 + "]" * 500 + "}", "nested|JSON"),
        (None, "binary"),
    ],
)  # fmt: skip
def test_a_bad_message_is_refused_by_name(text: str | None, says: str) -> None:
    with pytest.raises(BadMessage, match=says):
        parsed(text)


def test_a_bad_message_gets_a_sentence_and_the_game_goes_on(doors: Doors) -> None:
    with playing(doors) as client:
        for message, says in (
            ('{"name": "pause"}', "bad message: message: unknown fields"),
            ('{"name": "hold", "action": 99}', "bad message: action is 99; expected 0 to 2"),
            (b"\0\1", "bad message: the message is binary"),
            ('{"name": "begin", "start": 99, "seed": null}', "not possible: start is 99"),
            ('{"name": "play_as", "player": "zoo/../../x"}', "not possible: there is no player"),
        ):
            client.socket.send(message)
            sentence = client.hear("complaint")["says"]
            assert sentence.startswith(says)
            assert "Traceback" not in sentence
            assert "/" not in sentence.replace("zoo/../../x", "")
        step = client.turn().about["step"]
        client.until(lambda about: about["step"] > step or about["panels"][0]["over"])


def _nonsense(number: int) -> str | bytes:
    draw = random.Random(number)
    choice = draw.randrange(5)
    if choice == 0:
        return draw.randbytes(draw.randrange(200))
    if choice == 1:
        return "".join(chr(draw.randrange(32, 0x2FFF)) for _ in range(draw.randrange(100)))
    names = ["keys", "hold", "begin", "show", "play_as", "sample", "speed", "pause", "single_step", "film", "x"]
    values = [None, True, -1, 2**70, 1e300, "a" * 50, [], [[]] * 9, {"a": {"b": []}}, ["w"], 0, "dream"]
    fields = ["held", "action", "start", "seed", "view", "player", "values", "factor", "paused", "suffix"]
    chosen = draw.sample(fields, draw.randrange(4))
    return json.dumps({"name": draw.choice(names), **{field: draw.choice(values) for field in chosen}})


@pytest.mark.parametrize("count", [600, pytest.param(2000, marks=pytest.mark.slow)])
def test_nonsense_dismisses_its_sender_and_nobody_else(doors: Doors, count: int) -> None:
    """Messages of all kinds; each is refused, or obeyed where it happens to make sense."""
    with playing(doors) as quiet:
        before = quiet.turn().about["episode"]
        codes = set()
        for first in range(0, count, 200):
            with playing(doors) as loud, suppress(ConnectionClosed):
                for number in range(first, first + 200):
                    loud.socket.send(_nonsense(number))
                loud.turn()
            codes.add(loud.socket.close_code)
            wait_for_players(doors, 1)
        assert codes <= {web_player.POLICY_VIOLATION, 1000, 1006}  # 1006: a goodbye that was not heard in time
        quiet.say("begin", start=MIDDLE, seed=0)
        quiet.say("keys", held=["d"])  # obeyed in turn: who sees it has begun
        # Or later still: some of the nonsense may have begun a game, too.
        assert quiet.until(lambda about: about["action"] == 2).about["episode"] > before


def test_who_sends_only_nonsense_is_dismissed(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_player, "MAX_FAULTS", 5)
    with playing(doors) as client:
        for _ in range(5):
            client.socket.send("nonsense")
        with pytest.raises(ConnectionClosed) as closed:
            client.until(lambda about: False)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == web_player.POLICY_VIOLATION


def test_too_many_orders_are_dropped() -> None:
    box = inbox.Inbox(PLAYED, clock=lambda: 0.0)
    for _ in range(inbox.MAX_ORDERS + 3):
        box.hear('{"name": "begin", "start": null, "seed": null}')
    assert len(box.complaints) == 3
    assert len(box.orders()) == inbox.MAX_ORDERS
    assert box.orders() == []


# ---- G4: a flood --------------------------------------------------------------------------------------------------


def test_of_a_flood_the_latest_counts() -> None:
    """Beyond the rate nothing is read but the newest, at the next turn: it costs nothing and lags behind nothing."""
    now = [0.0]
    box = inbox.Inbox(PLAYED, clock=lambda: now[0])
    for _ in range(10 * inbox.MAX_MESSAGES_A_SECOND):
        box.hear('{"name": "keys", "held": ["a"]}')
    box.hear('{"name": "keys", "held": ["d"]}')
    assert box.action == 0
    box.orders()
    assert box.action == 2
    now[0] = 1.5
    box.hear('{"name": "keys", "held": ["a"]}')
    assert box.action == 0, "a second later every message counts again"


def test_a_flood_does_not_stop_anybodys_game(doors: Doors) -> None:
    """And what was sent last is what is played."""
    with playing(doors) as quiet, playing(doors) as loud:
        loud.say("show", view="real")
        quiet.turn()
        stop = time.monotonic() + 1.5
        turns = 0
        with ThreadPoolExecutor(2) as threads:
            said = threads.submit(loud.flood, stop, ["d"])
            obeyed = threads.submit(loud.until, lambda about: about["action"] == 2)
            while time.monotonic() < stop:
                quiet.turn()
                turns += 1
            obeyed.result()
        assert said.result() > 10 * inbox.MAX_MESSAGES_A_SECOND
        assert turns > 2  # client, flood and server share one interpreter here


# ---- G5: coming and going -----------------------------------------------------------------------------------------


def test_one_too_many_is_told_to_come_again(doors: Doors) -> None:
    wait_for_players(doors, 0)
    clients = [Client(doors) for _ in range(MAX_PLAYERS)]
    try:
        wait_for_players(doors, MAX_PLAYERS)
        begun = time.monotonic()
        with playing(doors) as late, pytest.raises(ConnectionClosed) as closed:
            late.turn()
        assert time.monotonic() - begun < 5, "a second, on a machine that has time"
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == TRY_AGAIN_LATER
        clients.pop().close()
        wait_for_players(doors, MAX_PLAYERS - 1)
        with playing(doors) as later:
            later.turn()
    finally:
        for client in clients:
            client.close()


def test_who_leaves_or_is_killed_touches_nobody_and_makes_room(doors: Doors) -> None:
    wait_for_players(doors, 0)
    with playing(doors) as staying:
        staying.say("begin", start=MIDDLE, seed=1)
        episode = staying.until(lambda about: about["start"] == MIDDLE).about["episode"]
        for leave in ("close", "kill"):
            leaving = Client(doors)
            leaving.turn()
            leaving.say("begin", start=0, seed=0)
            getattr(leaving, leave)()
            assert wait_for_players(doors, 1) < 5, "two seconds, on a machine that has time"
        staying.say("keys", held=["d"])
        assert staying.until(lambda about: about["action"] == 2).about["episode"] == episode


def test_who_never_reads_is_dropped_and_cut_off(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing politely would wait for the very reader that does not read."""
    wait_for_players(doors, 0)
    before = _held()
    monkeypatch.setattr(web_player, "SEND_SECONDS", 0.3)
    monkeypatch.setattr(web_player, "CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(web_player, "packed", lambda *about: bytes(1 << 20))
    deaf = socket.create_connection(("127.0.0.1", doors.port))
    headers = _right(doors) | {
        "Upgrade": ["websocket"],
        "Connection": ["Upgrade"],
        "Sec-WebSocket-Key": ["dGhlIHNhbXBsZSBub25jZQ=="],
        "Sec-WebSocket-Version": ["13"],
    }
    with deaf:
        deaf.sendall("\r\n".join([*_lines("/play", headers), "", ""]).encode())
        wait_for_players(doors, 1)
        wait_for_players(doors, 0)
        _wait_until_held(before + 1)  # our own end


def test_a_slow_reader_sees_fewer_pictures_and_the_newest(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = web_player.packed
    monkeypatch.setattr(web_player, "packed", lambda *about: packed(*about) + bytes(4 << 20))
    with playing(doors, max_size=None, max_queue=1) as client:
        client.say("show", view="real")
        steps = [(turn.about["episode"], turn.about["step"]) for turn in (_slowly(client) for _ in range(10))]
        assert any(after[1] > before[1] + 1 for before, after in pairwise(steps)), steps


def _slowly(client: Client) -> Any:
    time.sleep(0.25)
    return client.turn()


def test_who_gives_no_sign_of_life_is_let_go(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_player, "IDLE_SECONDS", 0.2)
    with playing(doors) as client, pytest.raises(ConnectionClosed) as closed:
        client.until(lambda about: False)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == web_player.GOING_AWAY


def test_a_bug_of_ours_ends_one_game_and_tells_no_secrets(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    with playing(doors) as other, playing(doors) as client:
        other.turn()
        with monkeypatch.context() as patched:
            patched.setattr(web_player.Session, "play_as", lambda *arguments: 1 / 0)
            client.say("play_as", player="human")
            with pytest.raises(ConnectionClosed) as closed:
                client.until(lambda about: False)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == web_player.INTERNAL_ERROR
        assert "Zero" not in closed.value.rcvd.reason
        other.turn()


@pytest.mark.parametrize("times", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_coming_and_going_leaves_nothing_behind(doors: Doors, times: int) -> None:
    wait_for_players(doors, 0)
    _come_and_go(doors, 5)
    before = _held()
    _come_and_go(doors, times)
    _wait_until_held(before)


def _come_and_go(doors: Doors, times: int) -> None:
    for _ in range(times):
        with playing(doors) as client:
            client.turn()
        wait_for_players(doors, 0)  # a seat is free when the server has seen its player go, a little later


def _wait_until_held(count: int) -> None:
    deadline = time.monotonic() + 20
    while _held() > count:
        assert time.monotonic() < deadline, f"{_held()} are held, not {count}"
        time.sleep(0.05)


def _held() -> int:
    """Threads and open descriptors of this process, but for the event loop's pool, which keeps its threads."""
    threads = [each for each in threading.enumerate() if not each.name.startswith("asyncio_")]
    return len(threads) + len(os.listdir("/proc/self/fd"))  # noqa: PTH208  (it counts, no more)


# ---- G6 -----------------------------------------------------------------------------------------------------------


def test_health_says_no_more_than_that(doors: Doors) -> None:
    _, _, body = _get(doors, "/health", Cookie=[])
    assert json.loads(body).keys() == {"status", "players"}


def test_numbers_out_of_range_are_taken_as_the_nearest(doors: Doors) -> None:
    with playing(doors) as client:
        client.say("sample", values={"steps": 10**6, "guidance": -5, "context_noise": 7})
        sampling = client.until(lambda about: about["sampling"]["steps"] > 3).about["sampling"]
        assert (sampling["steps"], sampling["guidance"], sampling["context_noise"]) == (5, 0.0, 0.9)
        client.say("speed", factor=-3)
        assert client.until(lambda about: about["speed"] < 1).about["speed"] == 0.1
        client.say("speed", factor=4)
        client.say("begin", start=MIDDLE, seed=-5)
        client.until(lambda about: about["start"] == MIDDLE)
        client.say("begin", start=0, seed=2**200)
        client.until(lambda about: about["start"] == 0)
