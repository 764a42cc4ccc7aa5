"""`field_fault.<kind>`: what is wrong with one field, beside its name."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    "field_fault.missing": ("缺少必填项", "is missing"),
    "field_fault.json_invalid": ("不是有效的 JSON", "is not valid JSON"),
    "field_fault.extra_forbidden": ("未知字段", "is not a known field"),
    "field_fault.string_too_short": ("内容过短", "is too short"),
    "field_fault.string_too_long": ("内容过长", "is too long"),
    "field_fault.string_pattern_mismatch": ("格式不符", "does not have the form asked for"),
    "field_fault.contains_nul": ("含有空字符（NUL）", "contains the character NUL"),
    "field_fault.string_type": ("应为字符串", "is not a string"),
    "field_fault.int_type": ("应为整数", "is not an integer"),
    "field_fault.int_parsing": ("应为整数", "is not an integer"),
    "field_fault.int_parsing_size": ("数值过大", "is too large"),
    "field_fault.bool_type": ("应为 true 或 false", "is not true or false"),
    "field_fault.bool_parsing": ("应为 true 或 false", "is not true or false"),
    "field_fault.list_type": ("应为列表", "is not a list"),
    "field_fault.too_long": ("项数过多", "has too many items"),
    "field_fault.too_short": ("项数过少", "has too few items"),
    "field_fault.literal_error": ("不在允许的取值之内", "is not one of the values allowed"),
    "field_fault.enum": ("不在允许的取值之内", "is not one of the values allowed"),
    "field_fault.day_out_of_range": (
        "日期应在 1901-01-01 至 2199-12-31 之间",
        "lies outside 1901-01-01 to 2199-12-31",
    ),
    "field_fault.date_from_datetime_parsing": ("不是有效日期", "is not a date"),
    "field_fault.date_parsing": ("不是有效日期", "is not a date"),
    "field_fault.datetime_parsing": ("不是有效时间", "is not an instant"),
    "field_fault.timezone_aware": ("时间缺少时区", "has no offset"),
    "field_fault.greater_than": ("数值过小", "is too small"),
    "field_fault.greater_than_equal": ("数值过小", "is too small"),
    "field_fault.less_than": ("数值过大", "is too large"),
    "field_fault.less_than_equal": ("数值过大", "is too large"),
    "field_fault.other": ("不符合要求", "breaks its rule"),
}
