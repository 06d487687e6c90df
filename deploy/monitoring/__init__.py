"""Alerts for Prometheus and the dashboard for Grafana."""
