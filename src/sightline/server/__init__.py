"""The localiser as a service: a JSON API, and the dashboard built from ``web/``."""
