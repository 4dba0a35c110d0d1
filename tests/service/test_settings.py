from pathlib import Path

import pytest

from relatent.core.addresses import Address
from relatent_service.channels import TritonTls
from relatent_service.settings import ServerSettings, read_settings


def test_defaults_are_those_that_the_command_line_promises():
    settings = read_settings([], {})
    assert settings.listen == Address("127.0.0.1", 8500)
    assert settings.metrics_listen == Address("127.0.0.1", 8501)
    assert settings.packs == Path("packs")
    assert settings.repository == Path("model_repository")
    assert settings.engine == "auto"
    assert settings.triton == ()
    assert settings.ready_file is None
    assert settings.stop_with_stdin is False


def test_a_switch_needs_no_value():
    assert read_settings([], {}).insecure is False
    assert read_settings(["--insecure"], {}).insecure is True
    assert read_settings(["--insecure", "no"], {"RELATENT_INSECURE": "yes"}).insecure is False


def test_tls_to_triton_is_spoken_where_any_of_its_flags_asks_for_it():
    assert read_settings([], {}).triton_credentials is None
    assert read_settings(["--triton-tls"], {}).triton_credentials == TritonTls()
    assert read_settings(["--triton-tls-ca", "a"], {}).triton_credentials == TritonTls(Path("a"))


def test_the_environment_sets_and_the_flag_wins():
    environment = {"RELATENT_MAX_STEPS": "7", "RELATENT_TRITON": "a:1, b:2", "RELATENT_DRAIN_SECONDS": "1.5"}
    settings = read_settings(["--max-steps", "9"], environment)
    assert settings.max_steps == 9
    assert settings.triton == ("a:1", "b:2")
    assert settings.drain_seconds == 1.5


def test_help_documents_every_setting_and_its_variable(capsys):
    with pytest.raises(SystemExit) as caught:
        read_settings(["--help"], {})
    assert caught.value.code == 0
    text = "".join(capsys.readouterr().out.split())
    for name in ServerSettings.__dataclass_fields__:
        assert f"--{name.replace('_', '-')}" in text
        assert f"RELATENT_{name.upper()};default:" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--listen", "8500"], "expected host:port"),
        (["--listen", "127.0.0.1:70000"], "expected host:port"),
        (["--max-steps", "0"], "at least 1"),
        (["--max-images", "-1"], "at least 1"),
        (["--max-message-bytes", "1073741824"], "expected at most 1073741823"),
        (["--drain-seconds", "nan"], "0 to 1000000 seconds"),
        (["--drain-seconds", "-1"], "0 to 1000000 seconds"),
        (["--max-connection-age-seconds", "3000000"], "0 to 1000000 seconds"),
        (["--max-connection-age-seconds", "0"], "more than 0 seconds"),
        (["--engine", "local", "--triton", "a:1"], "--engine local: expected no --triton, got a:1"),
        (["--engine", "embedded", "--triton", "a:1,b:2"], "expected no --triton, got a:1,b:2"),
        (["--engine", "cloud"], "auto, triton, embedded, local"),
        (["--engine", "triton"], "--triton host:port"),
        (["--log-level", "loud"], "debug, info"),
        (["--stop-with-stdin", "1"], "yes, no"),
        (["--max-step", "5"], "unrecognized arguments"),
        (["--tls-certificate", "a"], "--tls-certificate: expected --tls-key as well"),
        (["--tls-key", "a"], "--tls-key: expected --tls-certificate as well"),
        (["--tls-client-ca", "a"], "--tls-client-ca: expected --tls-certificate and --tls-key as well"),
        (["--triton-tls-key", "a"], "--triton-tls-key: expected --triton-tls-certificate as well"),
        (["--insecure", "1"], "yes, no"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_was_expected(arguments, expected, capsys):
    with pytest.raises(SystemExit) as caught:
        read_settings(arguments, {})
    assert caught.value.code == 2
    assert expected in " ".join(capsys.readouterr().err.split())


def test_a_wrong_variable_is_refused_too(capsys):
    with pytest.raises(SystemExit):
        read_settings([], {"RELATENT_MAX_STEPS": "many"})
    assert "--max-steps" in capsys.readouterr().err


def test_an_address_is_written_as_it_is_read():
    settings = read_settings(["--listen", "[::1]:80"], {})
    assert settings.listen == Address("::1", 80)
    assert str(settings.listen) == "[::1]:80"
