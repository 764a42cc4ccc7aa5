"""Schemes from their files (TIE-6): YAML under data/schemes, checked when the service starts.

Every key of a file is obeyed or the file is refused: a service that starts with a wrong threshold, or passes over what was
meant, is worse than one that does not start. The refusal names the file and the key, and says in both languages what is
allowed. What is planned and not built yet (quarters, units, a second version) is refused in so many words.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from services.tiering.domain.scheme import (
    LINE_NUMBER,
    NO_TIER_CODE,
    Level,
    Scheme,
    SchemeVersion,
    order_problems,
)
from shared.kernel.days import FIRST_DAY, LAST_DAY
from shared.kernel.lines import Line
from shared.money import parse_yuan

FOLDER: Final = Path(__file__).resolve().parent.parent / "data" / "schemes"


class SchemeFileError(ValueError):
    """A scheme file that cannot be used; the message names the file, the key and what is allowed."""


def _broken(zh: str, en: str) -> PydanticCustomError:
    return PydanticCustomError("rule", f"{zh} / {en}")


def _amount(text: str) -> str:
    try:
        parse_yuan(text)
    except ValueError:
        raise _broken(
            '应为金额字符串，如 "50000"', 'must be an amount in quotation marks, such as "50000"'
        ) from None
    return text


def _continuous(word: str) -> str:
    if word == "quarterly":
        raise _broken(
            "尚不支持按季度评定，只可为 continuously", "quarters are not evaluated yet; allowed: continuously"
        )
    if word != "continuously":
        raise _broken("只可为 continuously", "allowed: continuously")
    return word


def _one_version(versions: list[_Version]) -> list[_Version]:
    if len(versions) > 1:
        raise _broken(
            "尚不支持标准换版（须重算已有级别），只可有一个版本",
            "a change of version is not carried out yet (held tiers have to be recomputed); allowed: one version",
        )
    return versions


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


_Words = Annotated[str, Field(min_length=1, max_length=100)]
_Code = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]


class _Name(_Strict):
    zh: _Words
    en: _Words


class _Level(_Strict):
    code: _Code
    name: _Name
    yearly: Annotated[str, AfterValidator(_amount)]
    by_city_group: bool = False


class _Version(_Strict):
    version: Annotated[int, Field(ge=1)]
    effective_on: Annotated[date, Field(ge=FIRST_DAY, le=LAST_DAY)] | None
    lines: Annotated[list[Line], Field(min_length=1)]
    revenue_basis: _Name
    evaluated: Annotated[str, AfterValidator(_continuous)]
    needs_agreement: bool
    city_group_basis_points: dict[Literal[1, 2, 3], Annotated[int, Field(ge=1, le=100_000)]] = {}
    granted_to_upstream: str | None = None
    levels: Annotated[list[_Level], Field(min_length=1)]


class _Signature(_Strict):
    """Who may sign schemes (TIE-6); the file as shipped carries the signature."""

    role: Literal["centre", "province", "national"]
    note: _Words


class _File(_Strict):
    scheme: _Code
    name: _Name
    signed_by: _Signature
    versions: Annotated[list[_Version], Field(min_length=1), AfterValidator(_one_version)]


def load_schemes(folder: Path = FOLDER) -> tuple[Scheme, ...]:
    """Every scheme of the folder, by code. Raises `SchemeFileError`."""
    schemes: dict[str, Scheme] = {}
    for path in sorted(folder.glob("*.yaml")):
        scheme = _scheme(path)
        if scheme.code in schemes:
            raise _refused(
                path, [f"scheme：“{scheme.code}”已有另一文件 / {scheme.code!r} has another file already"]
            )
        schemes[scheme.code] = scheme
    if not schemes:
        raise SchemeFileError(f"{folder}：没有分级标准文件 / holds no scheme")
    return tuple(schemes.values())


def _scheme(path: Path) -> Scheme:
    try:
        file = _File.model_validate(yaml.load(path.read_text(encoding="utf-8"), Loader=_OnceLoader))  # noqa: S506
    except ValidationError as error:
        raise _refused(path, [_sentence(one) for one in error.errors()]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _refused(path, [f"不是有效的 YAML / not valid YAML: {error}"]) from error
    problems = [problem for version in file.versions for problem in _level_problems(version)]
    if problems:
        raise _refused(path, problems)
    versions = tuple(_version(file.scheme, one) for one in file.versions)
    problems = order_problems(versions)
    if problems:
        raise _refused(path, problems)
    return Scheme(file.scheme, file.name.zh, file.name.en, versions)


def _level_problems(version: _Version) -> Iterator[str]:
    """What the levels of a version say against one another or against its other keys."""
    codes = [level.code for level in version.levels]
    if len(set(codes)) < len(codes) or NO_TIER_CODE in codes:
        yield f"levels.code：须各不相同，且不得为 {NO_TIER_CODE} / must differ, and none of them be {NO_TIER_CODE}"
    if len(set(version.lines)) < len(version.lines):
        yield "lines：专业不得重复 / a line is named twice"
    if version.granted_to_upstream not in (None, *codes):
        allowed = ", ".join(codes)
        yield f"granted_to_upstream：只可为 null 或 {allowed} / allowed: null or {allowed}"
    if bool(version.city_group_basis_points) != any(level.by_city_group for level in version.levels):
        yield (
            "city_group_basis_points：须与某级别的 by_city_group: true 一并给出 / "
            "goes together with a level that has by_city_group: true"
        )


def _version(scheme: str, version: _Version) -> SchemeVersion:
    levels = tuple(
        Level(level.code, level.name.zh, level.name.en, parse_yuan(level.yearly), level.by_city_group)
        for level in version.levels
    )
    codes = [level.code for level in levels]
    granted = version.granted_to_upstream
    return SchemeVersion(
        scheme=scheme,
        version=version.version,
        effective_on=version.effective_on,
        lines=tuple(LINE_NUMBER[line] for line in version.lines),
        needs_agreement=version.needs_agreement,
        levels=levels,
        city_group_basis_points={
            int(group): points for group, points in version.city_group_basis_points.items()
        },
        granted_to_upstream=None if granted is None else codes.index(granted) + 1,
        basis_zh=version.revenue_basis.zh,
        basis_en=version.revenue_basis.en,
    )


# --- What is wrong, in words --------------------------------------------------------------------------------

_PLANNED: Final = {
    "units": ("尚不支持按机构适用，标准适用于全部机构", "schemes by unit are not built yet: a scheme covers all units"),
    "customers": ("尚不支持按客户范围适用", "schemes for some customers only are not built yet"),
}  # fmt: skip


class _OnceLoader(yaml.SafeLoader):
    """YAML's own reader keeps the last of two equal keys silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _refused(path: Path, problems: list[str]) -> SchemeFileError:
    return SchemeFileError("\n".join(f"{path.name}：{problem}" for problem in problems))


def _sentence(error: ErrorDetails) -> str:
    key = ".".join(str(step) for step in error["loc"] if step != "[key]") or "文件 / file"
    return f"{key}：{_rule(error)}"


def _rule(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "rule":
        return error["msg"]
    if kind == "extra_forbidden":
        zh, en = _PLANNED.get(str(error["loc"][-1]), ("未知的键", "unknown key"))
        return f"{zh} / {en}"
    if kind == "missing":
        return "缺少此键 / is missing"
    if kind in ("literal_error", "enum"):
        allowed = str(context["expected"]).replace("'", "").replace(" or ", ", ")
        return f"只可为 {allowed} / allowed: {allowed}"
    return f"不符合要求 / {error['msg']}"
