"""What MTAs wrap round the reply of another: the forms as data, and the reply taken out of them."""

from returpost.bounces.frames.unwrap import RemoteReply, command_of, unwrap, unwrap_marked

__all__ = ["RemoteReply", "command_of", "unwrap", "unwrap_marked"]
