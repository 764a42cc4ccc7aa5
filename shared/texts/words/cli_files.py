"""`cli.file.<what>`: what is wrong with a file or a cell of it; `cli.import.<what>`: what an import says; `row_problem.<code>`:
why a row cannot be read."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    # Why a file is no table
    "cli.file.folder": ("{file} 是文件夹，需要的是文件", "{file} is a folder, and a file is needed"),
    "cli.file.missing": ("没有文件 {file}", "there is no file {file}"),
    "cli.file.empty": ("{file} 是空文件", "{file} is empty"),
    "cli.file.too_large": ("{file} 超过 {megabytes} MB", "{file} is larger than {megabytes} MB"),
    "cli.file.old_excel": (
        "{file} 是旧版 Excel 文件（或受密码保护），请另存为 .xlsx 或 .csv",
        "{file} is an old Excel file (or a protected one); save it as .xlsx or .csv",
    ),
    "cli.file.utf_sixteen": (
        "{file} 是 UTF-16 编码，请另存为 UTF-8 或 GB18030",
        "{file} is UTF-16; save it as UTF-8 or GB18030",
    ),
    "cli.file.web_page": (
        "{file} 是网页（或 XML）而不是表格，请用表格软件打开后另存为 .xlsx",
        "{file} is a web page (or XML) and no table; open it in a spreadsheet and save it as .xlsx",
    ),
    "cli.file.packed_too_large": (
        "{file} 解压后超过 {megabytes} MB",
        "{file} unpacks to more than {megabytes} MB",
    ),
    "cli.file.not_unpacked": ("无法解压 {file}：{why}", "{file} cannot be unpacked: {why}"),
    "cli.file.not_written": ("无法写入 {file}：{why}", "{file} cannot be written: {why}"),
    # Workbooks
    "cli.file.no_workbook": ("{file} 不是工作簿，没有工作表", "{file} is no workbook and has no sheets"),
    "cli.file.no_xlsx": (
        "{file} 不是可读的 XLSX 文件，请另存为 .xlsx 或 .csv",
        "{file} is not a readable XLSX file; save it as .xlsx or .csv",
    ),
    "cli.file.workbook_too_large": (
        "{file} 超过 {megabytes} MB，请另存为 CSV",
        "{file} is larger than {megabytes} MB; save it as CSV",
    ),
    "cli.file.workbook_bomb": (
        "{file} 解压后超过允许的大小，请另存为 CSV",
        "{file} unpacks to more than is allowed; save it as CSV",
    ),
    "cli.file.too_many_cells": (
        "工作表的单元格过多，请另存为 CSV",
        "the sheet has more cells than are read from a workbook; save it as CSV",
    ),
    "cli.file.xml_declarations": (
        "工作簿含有表格用不到的 XML 声明",
        "the workbook contains XML declarations that a spreadsheet has no use for",
    ),
    "cli.file.no_sheets": ("{file} 没有工作表", "{file} has no sheet"),
    "cli.file.no_sheet": (
        "{file} 没有工作表 {sheet}；现有：{sheets}",
        "{file} has no sheet {sheet}; it has: {sheets}",
    ),
    "cli.file.no_visible_sheet": (
        "{file} 没有可见的工作表；现有：{sheets}",
        "{file} has no sheet that is visible; it has: {sheets}",
    ),
    "cli.file.one_sheet": (
        "只读取了工作表 {sheet}；未读取：{others}（用 --sheet 指定）",
        "only the sheet {sheet} is read; not read: {others} (say which with --sheet)",
    ),
    "cli.file.one_sheet_of_several": (
        "只读取了工作表 {sheet}；未读取：{others}（用 --sheet 指定）；其中有同样标题的数据行",
        "only the sheet {sheet} is read; not read: {others} (say which with --sheet); there are rows with the same header"
        " among them",
    ),
    # Header
    "cli.file.too_many_columns": ("{file} 超过 {most} 列", "{file} has more than {most} columns"),
    "cli.file.column_twice": ("{file} 有重复的列：{columns}", "{file} has a column twice: {columns}"),
    "cli.file.no_column": (
        "{file} 缺少列 {columns}；其标题行为：{header}",
        "{file} has no column {columns}; its first row is {header}",
    ),
    "cli.file.no_id": (
        "{file} 缺少列 {columns}；其标题行为：{header}。"
        "{headings} 只是行号，下月的文件还会重复，不能作为交易编号；请提供流水号",
        "{file} has no column {columns}; its first row is {header}. {headings} numbers the rows, and next month's file has the"
        " same numbers: that is no transaction's id; give the counter's own serial number as id",
    ),
    "cli.file.blank_header": ("空", "empty"),
    "cli.file.column_unread": (
        "列 {heading} 未读取：{field} 以 {stronger} 为准",
        "the column {heading} is not read: {stronger} goes before it as {field}",
    ),
    "cli.file.rows_above": (
        "标题在第 {row} 行，其上 {count} 行未读取",
        "the header is row {row}; {count} rows above it are not read",
    ),
    "cli.file.no_dates": ("{file} 没有一行带有业务日期", "{file} has no row with a business date"),
    "cli.file.neither_form": (
        "{file} 既没有 import transactions 的列（{columns}），也没有 {others}",
        "{file} has neither the columns of `import transactions` ({columns}) nor {others}",
    ),
    # Rows and cells
    "row_problem.bad_encoding": ("有无法识别的字节", "some of its bytes are no characters"),
    "row_problem.too_many_cells": ("单元格多于标题列", "it has more cells than the header"),
    "row_problem.cell_too_long": ("单元格过长", "a cell is too long"),
    "row_problem.row_too_long": ("该行过长", "it is too long"),
    "row_problem.open_quote": ("有引号没有配对", "a quotation mark is not closed as it should be"),
    "row_problem.rows_in_a_cell": (
        "一对引号之间包含了其他行，请检查引号后逐行重新导入",
        "a pair of quotation marks has other rows between it; mend the marks and import those rows again",
    ),
    "row_problem.broken_line": ("行中有多余的换行符", "a stray line break stands in it"),
    "row_problem.spreadsheet_error": (
        "单元格是公式错误，例如 #N/A",
        "a cell is a formula's error such as #N/A",
    ),
    "cli.file.lacks": ("缺少 {fields}", "{fields} is missing"),
    "cli.file.no_day": (
        "{field} 不是日期，应如 2026-01-15：{text}",
        "{field} is not a date such as 2026-01-15: {text}",
    ),
    "cli.file.no_instant": (
        "{field} 不是时间，应如 2026-01-15 09:31：{text}",
        "{field} is not a time such as 2026-01-15 09:31: {text}",
    ),
    "cli.file.out_of_range": (
        "{field} 应在 {first} 至 {last} 之间：{text}",
        "{field} must lie between {first} and {last}: {text}",
    ),
    "cli.file.no_yuan": (
        "{field} 不是以元为单位的金额，应如 1234.50，不带正负号：{text}",
        "{field} is not a figure in yuan such as 1234.50, without sign: {text}",
    ),
    "cli.file.no_minor_units": (
        "{field} 不是以分为单位的整数：{text}",
        "{field} is not a whole number of minor units: {text}",
    ),
    "cli.file.no_count": ("{field} 不是整数：{text}", "{field} is not a whole number: {text}"),
    "cli.file.code_as_number": (
        "{text} 是表格软件把长代码当作数字后的写法，末位数字已丢失；请将该列设为文本格式后重新填写",
        "{text} is a long code that a spreadsheet took for a number: its last digits are lost; format the column as text and"
        " enter the code again",
    ),
    "cli.file.code_with_point": (
        "{text} 带有小数点，是表格软件或程序把代码当作数字后的写法；请将该列设为文本格式后重新填写",
        "{text} has a decimal point, because a spreadsheet or a program took the code for a number; format the column as text"
        " and enter the code again",
    ),
    "cli.file.formula": (
        "{text} 是公式而不是代码，请粘贴为数值",
        "{text} is a formula and no code; paste values",
    ),
    # import
    "cli.import.which": (
        "要导入哪个文件？`--template` 给出样例",
        "which FILE? `--template` shows what it looks like",
    ),
    "cli.import.customers": ("客户", "customers"),
    "cli.import.transactions": ("交易", "transactions"),
    "cli.import.progress": ("{what}：{done} / {total}", "{what}: {done} of {total}"),
    "cli.import.customer_rows": (
        "共 {rows} 行：新注册 {created}，更新 {updated}，未变 {unchanged}，文件内重复 {repeated}，未导入 {rejected}",
        "{rows} rows: {created} registered, {updated} updated, {unchanged} unchanged, {repeated} repeated, {rejected}"
        " rejected",
    ),
    "cli.import.transaction_rows": (
        "共 {rows} 行：发布 {accepted}，文件内重复 {repeated}，同号不同内容（将挂起）{conflicting}，未导入 {rejected}",
        "{rows} rows: {accepted} published, {repeated} repeated, {conflicting} with an earlier row's id and other content"
        " (held), {rejected} rejected",
    ),
    "cli.import.same_customer": (
        "第 {row} 行与第 {earlier_row} 行是同一客户",
        "row {row} is the customer of row {earlier_row}",
    ),
    "cli.import.same_id": (
        "第 {row} 行与第 {earlier_row} 行同号",
        "row {row} has the id of row {earlier_row}",
    ),
    "cli.import.rejects": ("未导入的行及原因：{file}", "rejected rows and reasons: {file}"),
    "cli.import.similar": (
        "{count} 行的名称与其他客户相近：",
        "{count} have a name similar to another customer's:",
    ),
    "cli.import.to_check": ("{count} 行请核对：", "{count} should be looked at:"),
    "cli.import.row": ("第 {row} 行：{text}", "row {row}: {text}"),
    "cli.import.all_in_json": ("… 其余见 --json", "… all of them with --json"),
}
