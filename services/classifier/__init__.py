"""Bounce -> verdict with reason, fault and confidence; schedules and issues retry commands."""
