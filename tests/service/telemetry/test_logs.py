import json
import logging
import subprocess
import sys

import pytest

from relatent_service.telemetry.logs import JsonFormatter
from relatent_service.traffic.call import REQUEST_ID


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
from relatent_service.telemetry.logs import set_up_logs
set_up_logs("info")
logging.getLogger("service.x").info("ours")
warnings.warn("Palette images with Transparency", UserWarning)
os.write(2, b"I0000 00:00:1 chttp2_transport.cc:1376] Got goaway\\n")
ctypes.CDLL(None).perror(b"a C library")
print("caf\\u00e9 in two\\nlines", file=sys.stderr)
sys.stderr.flush()
ctypes.CDLL(None).abort() if len(sys.argv) > 1 else 1 / 0
"""


def parsed(output):
    """Lines of the log, and what else there is."""
    lines, others = [], []
    for text in output.decode().splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            others.append(text)
    return lines, others


@pytest.mark.parametrize("crash", [[], ["crash"]], ids=["ended by an exception", "crashed"])
def test_whatever_anybody_writes_to_standard_error_is_a_json_line_the_last_words_included(crash):
    ended = subprocess.run(
        [sys.executable, "-c", STRANGERS, *crash], stderr=subprocess.PIPE, timeout=60, check=False
    )
    lines, others = parsed(ended.stderr)
    assert bool(others) is bool(crash), "the interpreter's own last words, for whom a pipe may be too late"
    told = "\n".join(line["message"] for line in lines)
    for words in ("ours", "Palette images", "Got goaway", "a C library: ", "café in two\nlines"):
        assert words in told
    assert {line["logger"] for line in lines} == {"service.x", "py.warnings", "stderr"}
    assert ("ZeroDivisionError" in told) is not bool(crash)


def test_as_the_first_process_of_a_container_it_ends_only_when_all_is_told():
    command = ["unshare", "-Urpf", sys.executable, "-c", STRANGERS]
    ended = subprocess.run(command, stderr=subprocess.PIPE, timeout=60, check=False)
    lines, others = parsed(ended.stderr)
    if others and "unshare" in others[0]:
        pytest.skip("no namespaces may be made here")
    assert "ZeroDivisionError" in "\n".join(line["message"] for line in lines)


def test_whoever_ends_all_processes_of_a_service_still_sees_what_it_says_at_its_end():
    program = """
import os, signal, time
from relatent_service.engine.embedded.processes import children_of
from relatent_service.telemetry.logs import set_up_logs
set_up_logs("info")
time.sleep(0.5)
(helper,) = children_of(os.getpid())
os.kill(helper, signal.SIGTERM)
time.sleep(0.1)
os.write(2, b"draining\\n")
"""
    ended = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, timeout=60, check=False)
    assert [line["message"] for line in parsed(ended.stderr)[0]] == ["draining"]
