"""A censored internet on one machine."""
