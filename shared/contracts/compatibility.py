"""Whether the contracts still keep what was promised: `python -m shared.contracts.compatibility [--accept]`.

What was published lies in `shared/contracts/baseline`: the schema of each message and the table of topics. A
change that old messages or foreign readers would not survive fails with a sentence that says what it is and
what to do instead: a field removed, a required one added, a type or a set of values narrowed, a topic's key
or partitions changed. Adding optional fields, values, messages and topics is fine; `--accept` takes such
additions into the baseline, after which they are promises as well.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from shared.contracts.catalogue import MESSAGES, schema
from shared.contracts.generate import as_text
from shared.contracts.topics import TOPICS

BASELINE: Final = Path(__file__).with_name("baseline")
_TOPICS_FILE: Final = "topics.json"

Schema = Mapping[str, Any]

_KEEP: Final = (
    "old messages and foreign readers rely on it: restore it, or publish a new version beside this one"
)


def present() -> dict[str, Any]:
    """What the code promises now, by the name of the file in the baseline."""
    made: dict[str, Any] = {f"{message.TYPE}.json": schema(message) for message in MESSAGES}
    made[_TOPICS_FILE] = {
        topic.name: {
            "key": topic.key,
            "partitions": topic.partitions,
            "cleanup.policy": topic.config["cleanup.policy"],
        }
        for topic in TOPICS
    }
    return made


def published(folder: Path = BASELINE) -> dict[str, Any]:
    """What was promised, by file name."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def faults(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """One sentence for each promise that `new` breaks; an empty list when it only adds."""
    found: list[str] = []
    for name, before in old.items():
        subject = name.removesuffix(".json")
        after = new.get(name)
        if after is None:
            found.append(f"{subject}: the message is gone; {_KEEP}.")
        elif name == _TOPICS_FILE:
            found.extend(_topic_faults(before, after))
        else:
            found.extend(f"{subject}: {fault}" for fault in _faults(before, after, before, after, "data"))
    return found


def _topic_faults(old: Schema, new: Schema) -> Iterator[str]:
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            yield f"{name}: the topic is gone; {_KEEP}."
            continue
        for setting, value in before.items():
            if after.get(setting) != value:
                yield (
                    f"{name}: {setting} changed from {value!r} to {after.get(setting)!r}; the order of the records of "
                    "a key would break: leave it, or make a topic of the next version."
                )


def _faults(old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str) -> Iterator[str]:
    before = {kind: node for node in _alternatives(old, old_root) for kind in _kinds(node)}
    after = {kind: node for node in _alternatives(new, new_root) for kind in _kinds(node)}
    if "any" in after:
        return
    for kind, node in before.items():
        match = after.get(kind) or (after.get("number") if kind == "integer" else None)
        if match is None:
            yield f"{path} was {_article(kind)} and may no longer be; accept it still, or publish a new version."
        else:
            yield from _node_faults(node, match, old_root, new_root, path)


def _node_faults(old: Schema, new: Schema, old_root: Schema, new_root: Schema, path: str) -> Iterator[str]:
    yield from _value_faults(old, new, path)
    old_fields: Schema = old.get("properties", {})
    new_fields: Schema = new.get("properties", {})
    for name, field in old_fields.items():
        if name not in new_fields:
            yield f"the field {path}.{name} is gone; {_KEEP}."
        else:
            yield from _faults(field, new_fields[name], old_root, new_root, f"{path}.{name}")
    for name in sorted(set(new.get("required", ())) - set(old.get("required", ()))):
        yield (
            f"the field {path}.{name} became required; old messages do not have it: give it a default that says the "
            "same as its absence, or publish a new version."
        )
    if "items" in old and "items" in new:
        yield from _faults(old["items"], new["items"], old_root, new_root, f"{path}[]")


def _value_faults(old: Schema, new: Schema, path: str) -> Iterator[str]:
    allowed = _allowed(new)
    if allowed is not None:
        before = _allowed(old)
        if before is None:
            yield f"{path} took any value and now takes only some; accept all of them, or publish a new version."
        else:
            for value in before:
                if value not in allowed:
                    yield f"{path} no longer takes {value!r}; accept it still, or publish a new version."
    for limit, narrower in (
        ("maxLength", -1),
        ("maximum", -1),
        ("maxItems", -1),
        ("minLength", 1),
        ("minimum", 1),
    ):
        was, now = old.get(limit), new.get(limit)
        if now is not None and (was is None or (now - was) * narrower > 0):
            yield f"{path}: {limit} narrowed from {was} to {now}; keep the old limit, or publish a new version."
    for rule in ("pattern", "format"):
        if new.get(rule) is not None and new.get(rule) != old.get(rule):
            yield (
                f"{path}: {rule} changed from {old.get(rule)!r} to {new[rule]!r}; values that were right may now be "
                "wrong: keep it, or publish a new version."
            )


def _allowed(node: Schema) -> list[Any] | None:
    if "const" in node:
        return [node["const"]]
    values: list[Any] | None = node.get("enum")
    return values


def _alternatives(node: Schema, root: Schema) -> Iterator[Schema]:
    """The schemas one of which a value has to fit, with references followed."""
    if "$ref" in node:
        target: Any = root
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        yield from _alternatives(target, root)
    elif "anyOf" in node:
        for part in node["anyOf"]:
            yield from _alternatives(part, root)
    else:
        yield node


def _kinds(node: Schema) -> list[str]:
    kind = node.get("type", "any")
    return [kind] if isinstance(kind, str) else list(kind)


def _article(kind: str) -> str:
    return kind if kind in ("null", "any") else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def accept(folder: Path = BASELINE) -> None:
    """Makes what the code promises now the baseline."""
    folder.mkdir(exist_ok=True)
    for name, content in present().items():
        (folder / name).write_text(as_text(content), encoding="utf-8")


def main(arguments: list[str]) -> int:
    """Exit code 1 with a line for each broken promise on stderr, else 0."""
    found = faults(published(), present())
    for fault in found:
        sys.stderr.write(f"{fault}\n")
    if found:
        return 1
    if "--accept" in arguments:
        accept()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
