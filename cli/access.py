"""`keypost token` and `keypost client-config`: what people and foreign systems need to get in."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from cli.instance import CommandError, Data, Exit, Json, open_session, show
from deploy.embedded.kafka import MECHANISM


class Client(enum.StrEnum):
    COUNTER = "counter"
    SUBSCRIBER = "subscriber"


class Format(enum.StrEnum):
    LIBRDKAFKA = "librdkafka"
    JAVA = "java"


def register(app: typer.Typer) -> None:
    app.command()(token)
    app.command("client-config")(client_config)


def token(
    user: Annotated[
        str, typer.Option("--user", metavar="U", help="A user of the development issuer.")
    ] = "operator",
    data: Data = None,
    json_: Json = False,
) -> None:
    """Print a bearer token for the HTTP interfaces."""
    made = open_session(data, user).token()
    show({"user": user, "token": made}, json_, lambda: made)


def client_config(
    client: Annotated[Client, typer.Argument(help="Who connects.")],
    format_: Annotated[
        Format, typer.Option("--format", help="The client library's dialect.")
    ] = Format.LIBRDKAFKA,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Print Kafka client properties, one key=value a line, that let a foreign system in."""
    session = open_session(data)
    known = session.instance.kafka_client(client.value)
    user, password = known["sasl.username"], known["sasl.password"]
    if "$" in password:
        raise CommandError("the password cannot be written as a property", Exit.REFUSED)
    properties = {"bootstrap.servers": known["bootstrap.servers"], "security.protocol": "SASL_PLAINTEXT"}
    if format_ is Format.JAVA:
        properties["sasl.mechanism"] = MECHANISM
        properties["sasl.jaas.config"] = (
            "org.apache.kafka.common.security.scram.ScramLoginModule required"
            f' username="{user}" password="{password}";'
        )
    else:
        properties |= {"sasl.mechanisms": MECHANISM, "sasl.username": user, "sasl.password": password}
    if client is Client.SUBSCRIBER:
        properties |= {
            "group.id": "subscriber",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
        }
    show(properties, json_, lambda: "\n".join(f"{key}={value}" for key, value in properties.items()))
