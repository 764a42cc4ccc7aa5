"""Subscriptions, routes and pages."""
