"""What providers tell of deliveries: one module a provider, plain functions without I/O.

A module in `clouds`, `services` or `servers` that has a `PROVIDER` is a provider, by the name of the module. So a new
one is one module: its documentation's address, its table of kinds, how an event is read, and how it proves itself.

    from returpost.bounces import NormalizedResult, normalize
    from returpost.bounces.rules import load
    from returpost.bounces.verdict import classify

    for item in normalize("sendgrid", body):
        if isinstance(item, NormalizedResult) and item.result.result == "bounced":
            print(item.result.address, classify(item.evidence, load()).reason)
"""

import pkgutil
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module

from returpost.bounces.providers.normalized_result import Ignored as Ignored, NormalizedResult as NormalizedResult
from returpost.bounces.providers.payload import (
    Check,
    Provider as Provider,
    Unreadable as Unreadable,
    read_payload as read_payload,
)


def _discover() -> Iterator[Provider]:
    for module in pkgutil.walk_packages(__path__, f"{__name__}."):
        found = getattr(import_module(module.name), "PROVIDER", None)
        if isinstance(found, Provider):
            yield replace(found, name=module.name.rpartition(".")[2].replace("_", "-"))


PROVIDERS: dict[str, Provider] = {provider.name: provider for provider in _discover()}
"""Every provider, by the name in its path."""


def normalize(
    provider: str, body: bytes, check: Check = lambda result: None
) -> Iterator[NormalizedResult | Ignored | Unreadable]:
    """Yield what a provider tells in the body of a webhook, event by event and recipient by recipient.

    A `NormalizedResult` is one result of one recipient; `Ignored` an event that says nothing of a delivery;
    `Unreadable` one of an unknown kind or with something wrong in it, which stops no other. `check` may raise
    `InvalidMessage` for a result that is not wanted. Raises `KeyError` for a provider that is none of `PROVIDERS`.
    """
    if provider not in PROVIDERS:
        raise KeyError(f"unknown provider {provider!r}; supported: {', '.join(sorted(PROVIDERS))}")
    return read_payload(PROVIDERS[provider], body, check)
