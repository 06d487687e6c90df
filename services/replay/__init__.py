"""Dead letters and the event archive: look, group, replay, audit."""
