import json
import logging

from service.call import REQUEST_ID
from service.logs import JsonFormatter


def line(record):
    return json.loads(JsonFormatter().format(record))


def record(**fields):
    made = logging.LogRecord("service.x", logging.WARNING, "x.py", 1, "hello %s", ("you",), None)
    vars(made).update(fields)
    return made


def test_a_record_is_one_json_line_with_its_extra_fields():
    formatted = JsonFormatter().format(record(code="OK", text="two\nlines"))
    assert "\n" not in formatted
    parsed = json.loads(formatted)
    assert (parsed["message"], parsed["level"], parsed["logger"]) == ("hello you", "warning", "service.x")
    assert (parsed["code"], parsed["text"]) == ("OK", "two\nlines")
    assert parsed["time"].endswith("+00:00")


def test_the_request_at_hand_is_named():
    assert "request_id" not in line(record())
    token = REQUEST_ID.set("abc")
    assert line(record())["request_id"] == "abc"
    REQUEST_ID.reset(token)


def test_what_json_does_not_know_is_written_as_text():
    assert line(record(path={1}))["path"] == "{1}"


def test_an_exception_is_told():
    made = record(exc_info=(ValueError, ValueError("why"), None))
    assert "ValueError: why" in line(made)["exception"]
