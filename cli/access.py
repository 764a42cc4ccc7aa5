"""`keypost token` and `keypost client-config`: what people and foreign systems need to get in."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from cli.command import Call, bad_call, command_with
from cli.instance import CommandError, Exit
from cli.printable import visible
from cli.words import phrase
from deploy.embedded.kafka import MECHANISM
from shared.contracts.counter_systems import SYSTEMS
from shared.contracts.topics import PARTITIONER

Client = Literal["counter", "subscriber"]
Format = Literal["librdkafka", "java"]


def register(app: typer.Typer) -> None:
    app.command()(token)
    app.command("client-config")(client_config)


@command_with("data", "json")
def token(
    call: Call,
    user: Annotated[
        str, typer.Option("--user", metavar="U", help="A user of the development issuer.")
    ] = "operator",
) -> None:
    """Print a bearer token for the HTTP interfaces."""
    made = call.session.token(user)
    call.show({"user": user, "token": made}, lambda one: one["token"])


@command_with("data", "json")
def client_config(
    call: Call,
    client: Annotated[Client, typer.Argument(help="Who connects.")],
    system: Annotated[
        str | None,
        typer.Option("--system", metavar="CODE", help="A counter system with a user and a topic of its own."),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="The client library's dialect.")] = "librdkafka",
) -> None:
    """Print Kafka client properties, one key=value a line, that let a foreign system in."""
    known = call.session.instance.kafka_client(client if system is None else _user_of(client, system))
    user, password = known["sasl.username"], known["sasl.password"]
    if "$" in password:
        raise CommandError(phrase("cli.client_config.password"), Exit.REFUSED)
    properties = {"bootstrap.servers": known["bootstrap.servers"], "security.protocol": "SASL_PLAINTEXT"}
    if format_ == "java":
        properties["sasl.mechanism"] = MECHANISM
        properties["sasl.jaas.config"] = (
            "org.apache.kafka.common.security.scram.ScramLoginModule required"
            f' username="{user}" password="{password}";'
        )
    else:
        properties |= {"sasl.mechanisms": MECHANISM, "sasl.username": user, "sasl.password": password}
        if client == "counter":
            properties["partitioner"] = PARTITIONER
    if client == "subscriber":
        properties |= {
            "group.id": "subscriber",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    call.show(properties, lambda those: "\n".join(f"{key}={value}" for key, value in those.items()))


def _user_of(client: Client, code: str) -> str:
    """The Kafka user of a counter system."""
    if client != "counter":
        raise bad_call("cli.client_config.system_of_counter")
    for system in SYSTEMS:
        if system.code == code:
            return system.user
    known = [system.code for system in SYSTEMS]
    raise bad_call("cli.client_config.no_system", code=visible(code), known=known)
