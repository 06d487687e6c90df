"""An alert or a report as each kind of channel takes it."""
