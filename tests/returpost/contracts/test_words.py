"""What is wrong with a value, in words for people."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from returpost.contracts import DeliveryResult
from returpost.contracts.cloudevents import explain

GOOD = {"mailing": "m", "address": "a@example.com", "result": "bounced", "time": datetime(2026, 1, 1, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"mailing": ""}, "mailing: 1 to 200 characters"),
        ({"sender": "News letter"}, "sender: 1 to 63 small letters, digits and hyphens"),
        ({"status": "511"}, "status: an enhanced status, as 5.1.1"),
        ({"time": "2026-11-24T08:00:00"}, "time: a time needs its zone"),
    ],
)
def test_a_wrong_value_is_explained_without_patterns(wrong: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        DeliveryResult.model_validate(GOOD | wrong)
    assert explain(refused.value).startswith(said)
