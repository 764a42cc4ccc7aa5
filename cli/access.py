"""`keypost token` and `keypost client-config`: what people and foreign systems need to get in."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from cli.instance import CommandError, Data, Exit, Json, open_session, show
from cli.language import in_language
from deploy.embedded.kafka import MECHANISM
from shared.contracts.counter_systems import SYSTEMS


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
    system: Annotated[
        str | None,
        typer.Option("--system", metavar="CODE", help="A counter system with a user and a topic of its own."),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="The client library's dialect.")
    ] = Format.LIBRDKAFKA,
    data: Data = None,
    json_: Json = False,
) -> None:
    """Print Kafka client properties, one key=value a line, that let a foreign system in."""
    user_name = client.value if system is None else _user_of(client, system)
    session = open_session(data)
    known = session.instance.kafka_client(user_name)
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


def _user_of(client: Client, code: str) -> str:
    """The Kafka user of a counter system."""
    if client is not Client.COUNTER:
        raise CommandError(
            in_language("--system 只用于 counter", "--system goes with counter alone"), Exit.BAD_CALL
        )
    for system in SYSTEMS:
        if system.code == code:
            return system.user
    known = ", ".join(system.code for system in SYSTEMS)
    raise CommandError(
        in_language(
            f"没有电子化支局系统 {code}；已有：{known}",
            f"There is no counter system {code!r}; known: {known}",
        ),
        Exit.BAD_CALL,
    )
