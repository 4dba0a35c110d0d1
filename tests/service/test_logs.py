import json
import logging
import subprocess
import sys

import pytest

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


STRANGERS = """
import ctypes, logging, os, sys, warnings
from service.logs import set_up_logs
set_up_logs("info")
logging.getLogger("service.x").info("ours")
warnings.warn("Palette images with Transparency", UserWarning)
os.write(2, b"I0000 00:00:1 chttp2_transport.cc:1376] Got goaway\\n")
ctypes.CDLL(None).perror(b"a C library")
print("caf\\u00e9 in two\\nlines", file=sys.stderr)
sys.stderr.flush()
ctypes.CDLL(None).abort() if len(sys.argv) > 1 else 1 / 0
"""


@pytest.mark.parametrize("crash", [[], ["crash"]], ids=["ended by an exception", "crashed"])
def test_whatever_anybody_writes_to_standard_error_is_a_json_line_the_last_words_included(crash):
    ended = subprocess.run(
        [sys.executable, "-c", STRANGERS, *crash], stderr=subprocess.PIPE, timeout=60, check=False
    )
    lines = [json.loads(text) for text in ended.stderr.decode().splitlines()]
    told = "\n".join(line["message"] for line in lines)
    for words in ("ours", "Palette images", "Got goaway", "a C library: ", "café in two\nlines"):
        assert words in told
    assert {line["logger"] for line in lines} == {"service.x", "py.warnings", "stderr"}
    assert ("ZeroDivisionError" in told) is not bool(crash)
