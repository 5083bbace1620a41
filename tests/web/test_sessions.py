"""Sessions: who is logged in, and the messages of forms."""

import json
import os
from pathlib import Path

import pytest

from anagnorisis_web import sessions
from anagnorisis_web.sessions import Logins, Messages, Session, new_id


def test_logins_survive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state" / "logins.json"
    one, other = new_id(), new_id()
    logins = Logins(path, "a")
    logins.add(one)
    logins.add(other)
    logins.remove(other)

    again = Logins(path, "a")
    assert again.has(one)
    assert not again.has(other)
    assert not again.has("")


def test_another_passphrase_ends_all_logins(tmp_path: Path) -> None:
    path = tmp_path / "logins.json"
    session = new_id()
    Logins(path, "a").add(session)

    assert not Logins(path, "b").has(session)


def test_the_file_tells_nobody_the_ids_of_sessions(tmp_path: Path) -> None:
    path = tmp_path / "logins.json"
    session = new_id()
    Logins(path, "a").add(session)

    assert session not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


def test_a_login_expires(tmp_path: Path) -> None:
    path = tmp_path / "logins.json"
    session = new_id()
    Logins(path, "a").add(session)
    stored = json.loads(path.read_text())
    stored["logins"] = dict.fromkeys(stored["logins"], 1.0)
    path.write_text(json.dumps(stored))

    assert not Logins(path, "a").has(session)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"generation": "a"}', '{"generation": "a", "logins": [1]}',
     '{"generation": "a", "logins": {"x": "y"}}', '{"generation": "a", "logins": {"x": null}}'],
)  # fmt: skip
def test_after_damage_everybody_logs_in_again(tmp_path: Path, content: str) -> None:
    path = tmp_path / "logins.json"
    path.write_text(content)
    logins, session = Logins(path, "a"), new_id()
    assert not logins.has(session)

    logins.add(session)

    assert Logins(path, "a").has(session)


def test_the_number_of_logins_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_LOGINS", 3)
    logins = Logins(tmp_path / "logins.json", "a")
    ids = [new_id() for _ in range(5)]
    for each in ids:
        logins.add(each)

    assert [logins.has(each) for each in ids] == [False, False, True, True, True]


def test_a_message_is_shown_once() -> None:
    messages = Messages()
    key = messages.put("rated")

    assert (messages.take(key), messages.take(key), messages.take("")) == ("rated", "", "")


def test_the_number_of_messages_is_limited() -> None:
    messages = Messages()
    keys = [messages.put(str(number)) for number in range(sessions.MAX_MESSAGES + 1)]

    assert messages.take(keys[0]) == ""
    assert messages.take(keys[-1]) == str(sessions.MAX_MESSAGES)


def test_the_token_follows_from_session_and_key() -> None:
    key, identifier = os.urandom(32), new_id()
    token = Session(identifier, key, logged_in=False).token

    assert Session(identifier, key, logged_in=True).token == token
    assert Session(new_id(), key, logged_in=False).token != token
    assert Session(identifier, os.urandom(32), logged_in=False).token != token
