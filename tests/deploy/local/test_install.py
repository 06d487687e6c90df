"""Where RabbitMQ comes from, on any machine."""

import pytest

from deploy.local.install import HOW_TO, Facts, Way, choose


@pytest.mark.parametrize(
    ("installed", "apt", "root", "sudo", "engine", "way"),
    [
        (True, True, True, False, "docker", Way.INSTALLED),
        (True, False, False, False, None, Way.INSTALLED),
        (False, True, True, False, None, Way.APT),
        (False, True, False, True, "docker", Way.APT),
        (False, True, False, False, "podman", Way.CONTAINER),
        (False, False, True, False, "docker", Way.CONTAINER),
        (False, True, False, False, None, Way.NONE),
        (False, False, True, False, None, Way.NONE),
    ],
)
def test_way(installed: bool, apt: bool, root: bool, sudo: bool, engine: str | None, way: Way) -> None:
    assert choose(Facts(installed, apt, root, sudo, engine)) is way


@pytest.mark.parametrize("command", ["apt-get install", "dnf install", "brew install", "RETURPOST_AMQP_URL"])
def test_the_message_says_what_to_type(command: str) -> None:
    assert command in HOW_TO
