"""Subscriptions, timers and routes."""
