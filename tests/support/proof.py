"""Whether a real instance, looked at from outside, is where the independent model says it should be."""

from __future__ import annotations

import json
from collections import defaultdict

from tests.support import compare
from tests.support.instance import Instance, dead_letters
from tests.support.model import Model
from tests.support.streams import Scenario


def holds(instance: Instance, scenario: Scenario, model: Model) -> None:
    """Tier changes on the topic, latest tiers, suspense, dead letters and `keypost verify` all agree with the model."""
    changes = instance.tier_changes()
    compare.assert_none(compare.changes(changes, model))
    exported = [line for line in instance.must("export", "tier-changes").out.splitlines() if line]
    assert len(exported) == len(changes), "the export is the whole topic"
    latest: dict[tuple[str, str], tuple[str, bool]] = {}
    for message in instance.read("tiering.tiers.v1"):
        data = json.loads(message.value())
        latest[data["customer_code"], data["scheme"]] = (data["tier"], data["key_account"])
    compare.assert_none(compare.standings(latest, model))
    suspense = instance.must("suspense", "list", "--json").json()
    compare.assert_none(compare.held([(one["source"], one["id"], one["reason"]) for one in suspense], model))
    letters = instance.read("tiering.dead-letters.v1", instance.verifier())
    compare.assert_none(compare.dead_letters(dead_letters(letters), scenario.records(), model))
    listed = instance.must("dead-letters", "list", "--json").json()
    reasons: dict[str, int] = defaultdict(int)
    for one in listed:
        reasons[one["reason"]] += 1
    compare.assert_none(compare.dead_letter_counts(reasons, model))
    verified = instance.keypost("verify")
    assert verified.code == 0, verified
