"""An answer that strict JSON refuses still gives its updates: one odd message stops no intake."""

import json

import pytest
from telegram.error import TelegramError

from adapters.telegram.polling import encoded
from adapters.telegram.request import AiohttpRequest


@pytest.mark.parametrize("odd", ['"\\ud83d"', "1e400", '"\\ud83d\\ud83d"'])
def test_what_strict_json_refuses_is_read_all_the_same(odd: str) -> None:
    payload = f'{{"ok": true, "result": [{{"update_id": 1, "x": {odd}}}]}}'.encode()
    found = AiohttpRequest.parse_json_payload(payload)
    assert found["result"][0]["update_id"] == 1
    assert json.loads(encoded(found["result"][0]))["update_id"] == 1


@pytest.mark.parametrize("payload", [b"<html>", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_object_is_an_error_of_the_platform(payload: bytes) -> None:
    with pytest.raises(TelegramError):
        AiohttpRequest.parse_json_payload(payload)
