"""The envelope of every event and command that this service publishes."""

from shared.messaging.envelope import event_factory

new_event = event_factory("actions")
