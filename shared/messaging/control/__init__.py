"""What operators do with consumers: pause, resume, drain."""
