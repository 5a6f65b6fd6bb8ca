"""Alert rules, the alert log, delivery channels and service level objectives."""
