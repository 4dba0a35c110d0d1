"""What a session's client says next, and what it takes for an answer."""

from __future__ import annotations

import pytest

import relatent
from relatent.client.exchange import Exchange
from relatent.client.settings import ClientSettings
from relatent.v1 import editing_pb2
from tests.relatent.client import fake

A = "a:1"


@pytest.fixture
def exchange() -> Exchange:
    opening = editing_pb2.EditSessionOpening(latent=fake.latent())
    made = Exchange(opening, None, ClientSettings([A], max_message_bytes=4000).check_size)
    made.begin()
    return made


def smile(strength: float) -> list[relatent.Operation]:
    return [relatent.Move("smile", strength)]


def next_number(exchange: Exchange) -> int:
    request = exchange.next_request(exchange.calls)
    assert request is not None
    return request.change.number


def test_it_opens_first_and_then_says_the_newest_of_any_number_of_changes(exchange: Exchange) -> None:
    numbers = [exchange.change(smile(step / 1000)) for step in range(1000)]
    assert numbers == list(range(1, 1001))
    first, second = exchange.next_request(exchange.calls), exchange.next_request(exchange.calls)
    assert first is not None
    assert second is not None
    assert first.open.latent == fake.latent()
    assert second.change.number == 1000
    assert second.change.operations[0].direction.strengths == pytest.approx([0.999])
    assert not exchange.can_send(exchange.calls)


def test_a_new_call_says_the_newest_change_again_if_it_was_not_answered(exchange: Exchange) -> None:
    exchange.next_request(exchange.calls)
    for count in (1, 2):
        exchange.change(smile(count))
        assert next_number(exchange) == count
    exchange.receive(fake.opened(), A)
    exchange.receive(fake.answered(1), A)
    exchange.begin()
    exchange.next_request(exchange.calls)
    assert next_number(exchange) == 2
    exchange.receive(fake.answered(2), A)
    exchange.begin()
    exchange.next_request(exchange.calls)
    assert not exchange.can_send(exchange.calls)


def test_while_an_answer_is_unread_it_says_nothing_but_that_it_opens(exchange: Exchange) -> None:
    keep(exchange, 1)
    exchange.change(smile(2))
    assert not exchange.can_send(exchange.calls)
    exchange.finish()
    assert not exchange.can_send(exchange.calls)
    exchange.end_call()
    exchange.begin()
    assert exchange.can_send(exchange.calls)
    assert exchange.next_request(exchange.calls) is not None
    assert not exchange.can_send(exchange.calls)
    assert exchange.read() is not None
    assert exchange.can_send(exchange.calls)
    assert next_number(exchange) == 2


def keep(exchange: Exchange, number: int) -> None:
    """Have a change made, sent and answered."""
    assert exchange.change(smile(1)) == number
    exchange.next_request(exchange.calls)
    assert next_number(exchange) == number
    answer = exchange.receive(fake.answered(number), A)
    assert answer is not None
    exchange.keep(answer)


def test_a_call_that_has_ended_says_nothing_more(exchange: Exchange) -> None:
    ended = exchange.calls
    exchange.end_call()
    assert exchange.can_send(ended)
    assert exchange.next_request(ended) is None
    assert exchange.next_request(exchange.calls) is not None


def test_what_a_session_failed_by_is_raised_once_its_answers_are_read(exchange: Exchange) -> None:
    keep(exchange, 1)
    exchange.end(relatent.UnavailableError(None, "lost"))
    assert exchange.can_be_read
    assert exchange.read() is not None
    for ask in (exchange.read, lambda: exchange.change(smile(2))):
        with pytest.raises(relatent.UnavailableError, match="lost"):
            ask()


def test_who_has_hung_up_is_told_of_no_answer_and_no_failure(exchange: Exchange) -> None:
    keep(exchange, 1)
    exchange.hang_up()
    exchange.end(relatent.UnavailableError(None, "lost"))
    assert exchange.read() is None
    with pytest.raises(relatent.ClientStateError):
        exchange.change(smile(2))


def test_it_counts_what_was_dropped_wherever_that_was(exchange: Exchange) -> None:
    exchange.next_request(exchange.calls)
    for _ in range(7):
        exchange.change(smile(1))
    exchange.next_request(exchange.calls)
    answer = exchange.receive(fake.answered(5), A)
    assert isinstance(answer, relatent.SessionAnswer)
    assert (answer.number, answer.dropped) == (5, 4)
    answer = exchange.receive(fake.answered(7), A)
    assert isinstance(answer, relatent.SessionAnswer)
    assert answer.dropped == 1


def test_it_is_complete_once_the_last_change_is_answered(exchange: Exchange) -> None:
    exchange.next_request(exchange.calls)
    exchange.change(smile(1))
    exchange.finish()
    assert next_number(exchange) == 1
    assert exchange.can_send(exchange.calls)
    assert exchange.next_request(exchange.calls) is None
    assert not exchange.is_complete
    exchange.receive(fake.answered(1), A)
    assert exchange.is_complete


def lose(exchange: Exchange, opened: bool = True) -> bool:
    """Have a call opened, and lost; whether it got anywhere."""
    if opened:
        exchange.receive(fake.opened(), A)
    exchange.end_call()
    got_somewhere = exchange.progressed
    exchange.begin()
    assert not exchange.progressed
    return got_somewhere


def test_one_server_lost_at_work_is_no_fault_and_two_without_an_answer_between_are(
    exchange: Exchange,
) -> None:
    assert not lose(exchange, opened=False)
    assert lose(exchange)
    exchange.change(smile(1))
    assert lose(exchange)
    exchange.change(smile(2))
    assert not lose(exchange)
    exchange.next_request(exchange.calls)
    assert next_number(exchange) == 2
    exchange.receive(fake.answered(2), A)
    assert lose(exchange)
    exchange.change(smile(3))
    assert lose(exchange)


@pytest.mark.parametrize("numbers", [(2,), (1, 1), (0,)])
def test_an_answer_to_what_was_not_asked_breaks_the_contract(
    exchange: Exchange, numbers: tuple[int, ...]
) -> None:
    exchange.next_request(exchange.calls)
    exchange.change(smile(1))
    exchange.next_request(exchange.calls)
    for number in numbers[:-1]:
        exchange.receive(fake.answered(number), A)
    with pytest.raises(relatent.ContractError, match=r"answer\.number"):
        exchange.receive(fake.answered(numbers[-1]), A)


def test_an_answer_of_nothing_breaks_the_contract(exchange: Exchange) -> None:
    exchange.next_request(exchange.calls)
    exchange.change(smile(1))
    exchange.next_request(exchange.calls)
    empty = editing_pb2.EditStreamResponse(answer=editing_pb2.EditChangeAnswer(number=1))
    with pytest.raises(relatent.ContractError, match="neither"):
        exchange.receive(empty, A)


def test_a_change_that_cannot_be_sent_is_told_at_once_and_has_no_number(exchange: Exchange) -> None:
    with pytest.raises(relatent.InputError, match="max_message_bytes"):
        exchange.change([relatent.Move("smile" * 1000, 1)])
    with pytest.raises(relatent.InputError):
        exchange.change([relatent.Move("smile", "far")])  # type: ignore[arg-type]
    assert exchange.change(smile(1)) == 1
