"""Device status, sync durations and data coverage."""
