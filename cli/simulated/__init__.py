"""Counters that are made up: a province of outlets and customers with the rhythm of real days, and real mishaps.

Everything that it sends says that it is simulated: its source is `/simulated/<seed>/<unit>`, its product `simulated`,
its customers are named 模拟 (simulated).
"""
