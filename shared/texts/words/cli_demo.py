"""`cli.simulate.<what>` and `cli.demo.<what>`: what the simulated counters and the demo say."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, tuple[str, str]]] = {
    # simulate-counters
    "cli.simulate.production": (
        "生产实例不接受模拟交易",
        "counters are not simulated on an instance in production",
    ),
    "cli.simulate.simulated": ("以下均为模拟数据", "what follows is simulated: made up by this program"),
    "cli.simulate.waiting": ("等待各服务认得这些客户", "waiting until every service knows the customers"),
    "cli.simulate.begins": ("开始；按 Ctrl-C 结束", "it begins; Ctrl-C ends it"),
    "cli.simulate.stopped": (
        "已停止；已发出的照常入账",
        "stopped; what was sent before is booked all the same",
    ),
    "cli.simulate.present": (
        "已到沙箱时钟的当前时刻，等待其推进（keypost clock advance 1d）",
        "this is the sandbox's present; going on when its clock does (keypost clock advance 1d)",
    ),
    "cli.simulate.progress": ("{at}：已发 {count} 笔", "{at}: {count} sent"),
    "cli.simulate.summary": (
        "模拟（种子 {seed}）：{began} 至 {reached}，{customers} 个客户，共发 {count} 笔",
        "simulated (seed {seed}): {began} to {reached}, {customers} customers, {count} records sent",
    ),
    "cli.simulate.mishaps": ("异常：{mishaps}", "of them {mishaps}"),
    "cli.simulate.local_codes": (
        "{count} 个网点客户代码尚待对应，如：keypost map {code} {customer}",
        "{count} codes of counters' own to be mapped, such as: keypost map {code} {customer}",
    ),
    "cli.simulate.not_here": ("此处无法模拟网点：{why}", "no counters can be simulated here: {why}"),
    "cli.simulate.none_registered": (
        "模拟客户均未能注册（{reasons}）",
        "none of the simulated customers could be registered ({reasons})",
    ),
    # demo
    "cli.demo.customers_alone": (
        "--customers 与 --events 同用；模拟的交易有自己的客户",
        "--customers goes with --events; a simulated stream has its own",
    ),
    "cli.demo.production": (
        "演示不在生产实例上进行",
        "a demo is not played into an instance in production",
    ),
    "cli.demo.starting": ("启动 {data} 中的实例", "starting the instance in {data}"),
    "cli.demo.sign_in": (
        "登录：粘贴 keypost token --user centre {where} 给出的令牌（还有 operator、manager、reviewer、steward、approver、"
        "centre-nanjing 等用户）",
        "sign in with what `keypost token --user centre {where}` prints (also operator, manager, reviewer, steward, approver,"
        " centre-nanjing …)",
    ),
    "cli.demo.simulated": (
        "以下均为模拟数据（种子 {seed}）",
        "what follows is simulated: made up by this program (seed {seed})",
    ),
    "cli.demo.no_clock": (
        "此实例没有自己的时钟：播放的是已过去的日子，时限按实际时间计",
        "this instance has no clock of its own: days that have passed are played, and time limits run in real time",
    ),
    "cli.demo.stopped": (
        "已停止；已发出的照常入账，实例仍在运行",
        "stopped; what was sent before is booked all the same, the instance stays up",
    ),
    "cli.demo.label": ("模拟网点（种子 {seed}），自 {day}", "simulated counters (seed {seed}) from {day}"),
    "cli.demo.file": (
        "{file}：{customers} 个客户的 {rows} 笔交易，{first} 至 {last}",
        "{file}: {rows} transactions of {customers} customers, {first} to {last}",
    ),
    "cli.demo.lines": ("文件中的专业对应为：{lines}", "its lines stand for postal lines: {lines}"),
    "cli.demo.future": (
        "此实例的日期为 {today}：日期更晚的交易将因 future_date 转入待处理",
        "this instance's day is {today}: what is dated later will be held as future_date",
    ),
    "cli.demo.not_registered": (
        "{rows} 个客户中有 {refused} 个未新注册（{reasons}）",
        "{refused} of {rows} customers were not registered anew ({reasons})",
    ),
    "cli.demo.not_closed": ("{year} 年度未结账：{why}", "{year} was not closed: {why}"),
    "cli.demo.business_day": ("营业日", "business day"),
    "cli.demo.sent": ("已发", "sent"),
    "cli.demo.booked": ("已入账", "booked"),
    "cli.demo.repeated": ("重复", "came twice"),
    "cli.demo.held": ("待处理", "held"),
    "cli.demo.rejected": ("拒收", "rejected"),
    "cli.demo.dead_letters": ("异常报文", "dead letters"),
    "cli.demo.tier_changes": ("级别变动", "tier changes"),
    "cli.demo.closed_years": ("已结账年度：{years}", "years closed: {years}"),
    "cli.demo.news": ("刚刚发生", "what happened"),
    "cli.demo.when": ("时间", "when"),
    "cli.demo.latest_changes": ("最近的级别变动", "latest tier changes"),
    "cli.demo.scheme": ("分级标准", "scheme"),
    "cli.demo.from_tier": ("原级别", "from"),
    "cli.demo.to_tier": ("现级别", "to"),
    "cli.demo.total": ("累计（元）", "total, yuan"),
    "cli.demo.effective": ("生效", "effective"),
    "cli.demo.by_tier": ("各级别客户数", "customers by tier"),
    "cli.demo.declaration": ("申报“{name}”", "declaration of “{name}”"),
    "cli.demo.due": ("{about}将于 {moment} 到审批时限", "{about} is due at {moment}"),
    "cli.demo.overdue": (
        "{about}超过48小时未审批，已报{unit}",
        "{about} was not decided in time: reported to {unit}",
    ),
    "cli.demo.state": ("{about}：{state}", "{about}: {state}"),
    "cli.demo.range_low": ("号段将用尽：{range}", "codes are running out: {range}"),
    "cli.demo.released": (
        "{count} 笔待处理交易（{code}）已自动入账：{customer}",
        "{count} held transactions of {code} booked themselves for {customer}",
    ),
    "cli.demo.agreement_signed": (
        "{customer}：签订协议 {number}（{unit}）",
        "{customer} signed agreement {number} ({unit})",
    ),
    "cli.demo.agreement_ended": ("{customer}：协议 {number} 终止", "{customer}: agreement {number} ended"),
    "cli.demo.code_mapped": (
        "网点客户代码 {code} 对应 {customer}",
        "counter code {code} now means {customer}",
    ),
    "cli.demo.code_unmapped": (
        "网点客户代码 {code} 不再对应 {customer}",
        "counter code {code} no longer means {customer}",
    ),
    "cli.demo.merged": ("{customer} 并入 {survivor}", "{customer} was merged into {survivor}"),
    "cli.demo.claims": ("{subject}：{unit} {event}", "{subject}: {event} ({unit})"),
    "cli.demo.agreement": ("协议 {number}", "agreement {number}"),
    "cli.demo.leads": ("{lead}角主导", "{lead} leads from now on"),
    "cli.demo.refused": ("{about}：被拒绝：{why}", "{about}: refused: {why}"),
    "cli.demo.story_won": ("申报、开发、签约", "declare, develop, sign"),
    "cli.demo.story_overdue": ("无人审批", "nobody decides"),
    "cli.demo.story_lost": ("独家开发到期", "a window runs out"),
    "cli.demo.story_merged": ("退回、合并", "return, merge"),
    "cli.demo.story_rejected": ("驳回", "reject"),
    "cli.demo.story_mapped": ("网点客户代码对应", "map codes"),
    "cli.demo.rival_files": ("南京报备同一客户", "Nanjing files a plan for the same customer"),
    "cli.demo.rival_queues": ("南京排队等候该客户", "Nanjing queues for the prospect"),
    "cli.demo.mapping": ("对应网点客户代码 {code}", "mapping counter code {code}"),
    "cli.demo.summary": (
        "{label}，至 {day}：已发 {sent} 笔，入账 {booked}，重复 {repeated}，待处理 {held}，拒收 {rejected}，异常报文"
        " {dead_letters}",
        "{label}, up to {day}: {sent} transactions sent, {booked} booked, {repeated} came twice, {held} held, {rejected}"
        " rejected at once, {dead_letters} dead letters",
    ),
    "cli.demo.changes": ("级别变动 {count} 次", "{count} tier changes"),
    "cli.demo.direction": ("，{direction} {count}", ", {direction} {count}"),
    "cli.demo.tiers_of": ("各级别客户数，{scheme}：{tiers}", "customers by tier, {scheme}: {tiers}"),
    "cli.demo.happened": ("其间发生——{topic}：{happened}", "what happened, {topic}: {happened}"),
    "news_topic.claims": ("客户开发", "development"),
    "news_topic.customer": ("客户", "customers"),
    "news_topic.declaration": ("申报", "declarations"),
    "news_topic.refused": ("被拒绝的请求", "requests refused"),
    "news_topic.registry": ("代码", "codes"),
    "news_topic.suspense": ("待处理交易", "suspense"),
    "news.customer_agreement_signed": ("签订协议", "Agreement signed"),
    "news.customer_agreement_ended": ("协议终止", "Agreement ended"),
    "news.customer_code_mapped": ("对应网点客户代码", "Counter code mapped"),
    "news.customer_code_unmapped": ("取消网点客户代码对应", "Counter code unmapped"),
    "news.customer_merged": ("合并", "Merged"),
    "news.declaration_warned": ("将到审批时限", "Nearly due"),
    "news.declaration_breached": ("超时", "Overdue"),
    "news.registry_code_range_low": ("代码段将用尽", "Code range nearly used up"),
    "news.suspense_released": ("自动入账", "Booked after all"),
    "cli.demo.look_further": (
        "进一步查看：keypost tier {code} --explain · keypost declarations list · keypost windows · keypost suspense list ·"
        " keypost dead-letters list · keypost export tier-changes · keypost verify（均加 {where}）",
        "look further: keypost tier {code} --explain · keypost declarations list · keypost windows · keypost suspense list ·"
        " keypost dead-letters list · keypost export tier-changes · keypost verify  (each with {where})",
    ),
    "cli.demo.stop": ("停止：keypost down {where}", "stop it: keypost down {where}"),
}
