"""Prometheus metrics, served over HTTP."""
